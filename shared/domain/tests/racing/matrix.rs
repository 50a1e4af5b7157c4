//! What `Order::decide` says to every command in every state that it leads to. The model asks nobody else.

use std::collections::HashMap;

use serde_json::json;
use waybill_domain::Timestamp;
use waybill_domain::message::{Actor, Event};
use waybill_domain::order::refund::{self, Outcome as RefundOutcome, RefundState};
use waybill_domain::order::{Attempt, Authorisation, Command, Order, PaymentSession, Refusal, State};

/// The number of an attempt to pay, and so of its page at Stripe.
pub type Page = u8;
/// The number of a state in the matrix.
pub type Known = u8;

/// The commands of the model, with the ids that Stripe would give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ask {
    StartPayment(Page),
    ExpirePayment(Page),
    Authorise(Page),
    Release(Page),
    Pay(Page),
    Cancel {
        closed: Option<Page>,
    },
    /// After the bank has let go of what was authorised on this page.
    CancelReleased(Page),
    Expire {
        closed: Option<Page>,
    },
    RefundWasMade,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Becomes(Known, Told),
    Done,
    Forbidden,
    /// Its page is open, or the bank holds the amount.
    Open,
    ReleaseDue,
}

/// What a change tells the stock, by `functions/stock`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    Nothing,
    Paid,
    GivenUp,
    TakenBack,
}

/// What the model has to know of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// While it is pending: the attempt, and whether it has a page.
    pub attempt: Option<(Page, bool)>,
    /// While it is authorised: the attempt.
    pub held: Option<Page>,
    pub is_given_up: bool,
    pub is_paid: bool,
    pub refund: Option<Refund>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refund {
    Due,
    Made,
}

pub struct Matrix {
    standings: Vec<Standing>,
    outcomes: HashMap<(Known, Ask), Outcome>,
}

/// As it was placed.
pub const PLACED: Known = 0;

impl Matrix {
    /// All that can be decided while an order has so many pages.
    pub fn of(pages: Page) -> Matrix {
        let mut orders = vec![placed()];
        let mut matrix = Matrix { standings: Vec::new(), outcomes: HashMap::new() };
        while let Some(order) = orders.get(matrix.standings.len()).cloned() {
            let from = number(matrix.standings.len());
            matrix.standings.push(standing(&order));
            for ask in asks(pages) {
                // How it stands now is asked for, and the payment of an earlier page has ended.
                if let (Ask::Authorise(page), Some((attempt, _))) = (ask, matrix.standing(from).attempt)
                    && page != attempt
                {
                    matrix.outcomes.insert((from, ask), Outcome::Done);
                    continue;
                }
                let decided = order.decide(ask.command(&order), Actor::Stripe, Timestamp::UNIX_EPOCH);
                let outcome = match decided {
                    Ok(after) => {
                        let told = told(&after.timeline.last().unwrap().event);
                        // Without its timeline, in which states are numbered that are the same to whoever decides.
                        let after = Order { timeline: order.timeline.clone(), ..after };
                        let place = orders.iter().position(|known| *known == after).unwrap_or_else(|| {
                            orders.push(after);
                            orders.len() - 1
                        });
                        Outcome::Becomes(number(place), told)
                    }
                    Err(Refusal::Done) => Outcome::Done,
                    Err(Refusal::Forbidden { .. }) => Outcome::Forbidden,
                    Err(Refusal::PageOpen | Refusal::HoldOpen) => Outcome::Open,
                    Err(Refusal::ReleaseDue { .. }) => Outcome::ReleaseDue,
                    // A refund that the order does not have: there is none at Stripe either.
                    Err(Refusal::Refund(refund::Refused::Unknown)) => Outcome::Forbidden,
                    Err(refusal) => panic!("{ask:?}: {refusal}"),
                };
                matrix.outcomes.insert((from, ask), outcome);
            }
        }
        matrix.assert_that_no_state_comes_back();
        matrix
    }

    /// For then an order in the same state is at the same version, and the model needs no other.
    fn assert_that_no_state_comes_back(&self) {
        let mut left: Vec<_> = (0..number(self.states())).collect();
        let leads = |from, to| {
            let led = |(&(state, _), outcome): (_, &Outcome)| {
                state == from && matches!(outcome, Outcome::Becomes(after, _) if *after == to)
            };
            self.outcomes.iter().any(led)
        };
        while !left.is_empty() {
            let before = left.clone();
            left.retain(|from| before.iter().any(|to| leads(*from, *to)));
            assert!(left.len() < before.len(), "these come back: {left:?}");
        }
    }

    pub fn decide(&self, order: Known, ask: Ask) -> Outcome {
        self.outcomes[&(order, ask)]
    }

    pub fn standing(&self, order: Known) -> Standing {
        self.standings[usize::from(order)]
    }

    pub fn states(&self) -> usize {
        self.standings.len()
    }
}

impl Ask {
    fn command(self, order: &Order) -> Command {
        let (id, intent) = (|page: Page| format!("cs_{page}"), |page: Page| format!("pi_{page}"));
        match self {
            Ask::StartPayment(page) => {
                let session =
                    PaymentSession::Page { id: id(page), url: String::new(), expires_at: Timestamp::UNIX_EPOCH };
                Command::StartPayment { attempt: page.into(), session }
            }
            Ask::ExpirePayment(page) => Command::ExpirePayment { session_id: id(page) },
            Ask::Authorise(page) => Command::Authorise { intent: intent(page), amount: order.total },
            Ask::Release(page) => Command::Release { intent: intent(page) },
            Ask::Pay(page) => Command::Pay { intent: intent(page), amount: order.total },
            Ask::Cancel { closed } => Command::Cancel { closed: closed.map(id), reason: None },
            Ask::CancelReleased(page) => Command::Cancel { closed: Some(intent(page)), reason: None },
            Ask::Expire { closed } => Command::Expire { closed: closed.map(id) },
            Ask::RefundWasMade => {
                let outcome = RefundOutcome::Succeeded { stripe: "re_1".into() };
                Command::Refund(refund::Command::Settle { number: 1, outcome })
            }
        }
    }
}

fn asks(pages: Page) -> impl Iterator<Item = Ask> {
    let of_page = |page| {
        let closed = Some(page);
        [
            Ask::StartPayment(page),
            Ask::ExpirePayment(page),
            Ask::Authorise(page),
            Ask::Release(page),
            Ask::Pay(page),
            Ask::Cancel { closed },
            Ask::CancelReleased(page),
            Ask::Expire { closed },
        ]
    };
    let others = [Ask::Cancel { closed: None }, Ask::Expire { closed: None }, Ask::RefundWasMade];
    (1..=pages).flat_map(of_page).chain(others)
}

fn standing(order: &Order) -> Standing {
    let attempt = match &order.state {
        State::Pending { attempt: Attempt { number, session } } => Some((*number as Page, session.is_some())),
        _ => None,
    };
    let held = match &order.state {
        State::Authorised { authorisation: Authorisation { attempt, .. } } => Some(*attempt as Page),
        _ => None,
    };
    let payment = order.state.payment();
    let refunds = payment.map(|payment| payment.refunds.as_slice()).unwrap_or_default();
    let refund = match refunds {
        [] => None,
        [only] => match only.state {
            RefundState::Requested => Some(Refund::Due),
            RefundState::Succeeded { .. } => Some(Refund::Made),
            RefundState::Failed { .. } => panic!("no refund fails here"),
        },
        more => panic!("{} refunds", more.len()),
    };
    Standing { attempt, held, is_given_up: order.state.status().is_given_up(), is_paid: payment.is_some(), refund }
}

fn told(event: &Event) -> Told {
    match event {
        Event::Paid => Told::Paid,
        Event::Cancelled | Event::Expired => Told::GivenUp,
        Event::CancelledWithRefund { .. } => Told::TakenBack,
        Event::Placed
        | Event::PaymentStarted
        | Event::PaymentDeclined
        | Event::PaymentExpired
        | Event::PaymentAuthorised
        | Event::Processing
        | Event::AddressChanged
        | Event::PartiallyShipped { .. }
        | Event::Shipped { .. }
        | Event::ShipmentDelivered { .. }
        | Event::Delivered
        | Event::RestCancelled { .. }
        | Event::PaidLate { .. }
        | Event::RefundRequested { .. }
        | Event::Refunded { .. }
        | Event::RefundFailed { .. }
        | Event::DisputeOpened { .. }
        | Event::DisputeUpdated { .. }
        | Event::DisputeClosed { .. }
        | Event::ReturnRequested { .. }
        | Event::ReturnApproved { .. }
        | Event::ReturnRefused { .. }
        | Event::ReturnReceived { .. }
        | Event::Exchanged { .. } => Told::Nothing,
    }
}

fn number(place: usize) -> Known {
    place.try_into().expect("some dozens of states")
}

/// An order of one unit.
fn placed() -> Order {
    let price = json!({ "amount": 450, "currency": "USD" });
    let order = json!({
        "id": "ord_01K3ZQ8V5E7N9WJ2R4T6Y8B0CD",
        "buyer": "acc_01K3ZQ8V5E7N9WJ2R4T6Y8B0CD",
        "contact": { "kind": "forgotten", "forgotten_at": "1970-01-01T00:00:00Z" },
        "lines": [],
        "total": price,
        "state": { "status": "pending", "attempt": { "number": 1 } },
        "placed_at": "1970-01-01T00:00:00Z",
        "timeline": [],
    });
    serde_json::from_value(order).unwrap()
}
