//! Taking note of what Stripe tells: by an event, by an answer, or when the books are compared.

use waybill_domain::Timestamp;
use waybill_domain::id::OrderId;
use waybill_domain::message::Actor;
use waybill_domain::order::{Command, Order, Refusal, refund};
use waybill_storage::Table;
use waybill_storage::orders::{StripeEvent, Unchanged};
use waybill_web::Problem;

use crate::give_up::catch_up;
use crate::objects::{Dispute, Refund};
use crate::work::warn;
use crate::{Stripe, dispute_of, money, outcome, refund_of};

/// The order with what was told; or why it stayed as it was.
pub type Noted = Result<Order, Unchanged<Refusal>>;

/// What became of a payment after it was made.
pub struct Told {
    /// Stripe's id of the payment.
    intent: String,
    /// None where it does not say: the payment does, if it is one of ours.
    order: Option<OrderId>,
    command: Command,
}

impl Told {
    /// None where nothing has become of the refund yet, or it is of no payment that an order can have.
    pub fn of_refund(refund: &Refund) -> Option<Told> {
        let (outcome, intent) = (outcome(refund)?, refund.payment_intent.as_ref()?.0.clone());
        if let Some((order, number)) = refund_of(refund) {
            let command = Command::Refund(refund::Command::Settle { number, outcome });
            return Some(Told { intent, order: Some(order), command });
        }
        let amount = money(refund.amount, &refund.currency)?;
        let command = Command::Refund(refund::Command::Note { intent: intent.clone(), amount, outcome });
        Some(Told { intent, order: None, command })
    }

    /// None for a dispute of no payment that an order can have.
    pub fn of_dispute(dispute: &Dispute) -> Result<Option<Told>, UnclearDispute> {
        let Some(intent) = &dispute.payment_intent else { return Ok(None) };
        let intent = intent.0.clone();
        let told = dispute_of(dispute, intent.clone()).ok_or(UnclearDispute)?;
        Ok(Some(Told { intent, order: None, command: Command::NoteDispute(told.into()) }))
    }

    /// Takes note of it in the order that it is of, together with the event that told of it. None where it is of no order. What
    /// comes before its payment brings the payment along.
    pub async fn note(
        self,
        table: &Table,
        stripe: &Stripe,
        event: Option<&StripeEvent<'_>>,
        now: Timestamp,
    ) -> Result<Option<(OrderId, Noted)>, Problem> {
        let Told { intent, order, command } = self;
        let order = match order {
            Some(order) => Some(order),
            None => stripe.order_of(&intent).await?,
        };
        let Some(order) = order else { return Ok(None) };
        // Before it is kept: were it lost in between, nobody would hear of it. The books tell of it again every day.
        if event.is_some() {
            warn(order, &command);
        }
        let decide = |order: &Order| order.decide(command.clone(), Actor::Stripe, now);
        let mut noted = table.change_order(order, event, decide).await;
        if matches!(noted, Err(Unchanged::Refused(Refusal::Forbidden { .. })))
            && catch_up(table, stripe, order, &intent).await?
        {
            noted = table.change_order(order, event, decide).await;
        }
        if event.is_none() && noted.is_ok() {
            warn(order, &command);
        }
        Ok(Some((order, noted)))
    }
}

/// It is not said what is disputed, or how that stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnclearDispute;

impl UnclearDispute {
    pub const WHY: &str = "it does not say what is disputed, or how that stands";
}
