//! What a call of a function does between one of its steps and the next, as the functions do it: `functions/payments` (start.rs,
//! give_up.rs, work.rs), `functions/stripe-webhook` and `functions/stock`.

use crate::matrix::{Ask, Known, Outcome, Page};
use crate::model::{AtStripe, Broken, Lane, Movement, Shop};

/// A call that is under way: what it does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Call {
    OpenPage(Page),
    /// Asks Stripe about a page whose time seems to be over.
    LookAtPage(Page),
    ClosePage(Page, Why),
    /// Closes a page that was made for an order which was given up meanwhile.
    DropPage(Page),
    /// Takes what the bank holds.
    Capture(Page),
    /// Lets go of it, for an order that is to be cancelled.
    ReleaseHold(Page, Why),
    /// The same, for one that was given up meanwhile.
    DropHold(Page),
    MakeRefund,
    Read(Ask, Then),
    /// Saves what was decided on the order as it was read.
    Save(Ask, Then, Known),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Why {
    Cancelled,
    Expired,
}

/// What a call does once its change is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Then {
    End,
    GiveUp(Why),
    OpenPage(Page),
}

impl Shop {
    /// The next step of a call.
    pub fn step(&self, lane: &mut Lane, call: Call) {
        match call {
            Call::OpenPage(page) => {
                // Asked again for the same attempt, Stripe answers the same page.
                if lane.page(page) == AtStripe::NotMade {
                    *lane.page_mut(page) = AtStripe::Open;
                }
                lane.calls.push(Call::Read(Ask::StartPayment(page), Then::End));
            }
            Call::LookAtPage(page) => {
                if lane.page(page) == AtStripe::Closed {
                    lane.calls.push(Call::Read(Ask::ExpirePayment(page), Then::OpenPage(page + 1)));
                }
            }
            Call::ClosePage(page, why) => match lane.page(page) {
                AtStripe::Paid => lane.calls.push(Call::Read(Ask::Pay(page), Then::GiveUp(why))),
                AtStripe::Held => lane.calls.push(Call::Read(Ask::Authorise(page), Then::GiveUp(why))),
                AtStripe::Open | AtStripe::Closed | AtStripe::NotMade => {
                    if self.broken != Some(Broken::PageIsNotClosed) {
                        *lane.page_mut(page) = AtStripe::Closed;
                    }
                    lane.calls.push(Call::Read(why.ask(Some(page)), Then::End));
                }
            },
            Call::DropPage(page) => {
                if lane.page(page) == AtStripe::Open {
                    *lane.page_mut(page) = AtStripe::Closed;
                }
            }
            Call::Capture(page) => {
                if lane.page(page) == AtStripe::Held {
                    *lane.page_mut(page) = AtStripe::Paid;
                }
                let ask = if lane.page(page) == AtStripe::Paid { Ask::Pay(page) } else { Ask::Release(page) };
                lane.calls.push(Call::Read(ask, Then::End));
            }
            Call::ReleaseHold(page, why) => match lane.page(page) {
                AtStripe::Paid => lane.calls.push(Call::Read(Ask::Pay(page), Then::GiveUp(why))),
                AtStripe::Held | AtStripe::Closed | AtStripe::Open | AtStripe::NotMade => {
                    if self.broken != Some(Broken::HoldIsNotReleased) {
                        *lane.page_mut(page) = AtStripe::Closed;
                    }
                    lane.calls.push(Call::Read(Ask::CancelReleased(page), Then::End));
                }
            },
            Call::DropHold(page) => match lane.page(page) {
                AtStripe::Paid => lane.calls.push(Call::Read(Ask::Pay(page), Then::End)),
                AtStripe::Held => *lane.page_mut(page) = AtStripe::Closed,
                AtStripe::Closed | AtStripe::Open | AtStripe::NotMade => {}
            },
            Call::MakeRefund => {
                if lane.refunds == 0 || self.broken == Some(Broken::RefundHasNoKey) {
                    lane.refunds += 1;
                }
                lane.calls.push(Call::Read(Ask::RefundWasMade, Then::End));
            }
            Call::Read(ask, then) => self.read(lane, ask, then),
            Call::Save(ask, then, read) => {
                let is_as_read = lane.order == Some(read) || self.broken == Some(Broken::VersionIsNotCompared);
                match self.matrix.decide(read, ask) {
                    Outcome::Becomes(after, told) if is_as_read => {
                        lane.order = Some(after);
                        lane.announce(ask, told);
                        self.go_on(lane, then);
                    }
                    // Somebody else was faster: from the start.
                    _ => self.read(lane, ask, then),
                }
            }
        }
    }

    /// Reads the order and decides.
    pub fn read(&self, lane: &mut Lane, ask: Ask, then: Then) {
        let Some(order) = lane.order else { return };
        match (self.matrix.decide(order, ask), ask, then) {
            (Outcome::Becomes(..), ..) => lane.calls.push(Call::Save(ask, then, order)),
            // Nobody has this page's address; now nobody can pay on it.
            (Outcome::Forbidden, Ask::StartPayment(page), _) => lane.calls.push(Call::DropPage(page)),
            // Somebody else has just taken note of the payment.
            (Outcome::Done, Ask::Pay(_) | Ask::Authorise(_), Then::GiveUp(_)) => self.go_on(lane, then),
            (Outcome::ReleaseDue, Ask::Authorise(page), _) => lane.calls.push(Call::DropHold(page)),
            (Outcome::Done | Outcome::Forbidden | Outcome::Open | Outcome::ReleaseDue, ..) => {}
        }
    }

    fn go_on(&self, lane: &mut Lane, then: Then) {
        match then {
            Then::End => {}
            Then::GiveUp(why) => {
                let held = lane.order.and_then(|order| self.matrix.standing(order).held);
                lane.calls.push(match (held, why) {
                    (Some(page), Why::Cancelled) => Call::ReleaseHold(page, why),
                    (Some(_), Why::Expired) | (None, _) => Call::Read(why.ask(None), Then::End),
                });
            }
            Then::OpenPage(page) if page > self.pages => {}
            Then::OpenPage(page) => lane.calls.push(Call::OpenPage(page)),
        }
    }

    /// What the stock may be told now, and has not done yet.
    pub fn movements(&self, lane: &Lane) -> impl Iterator<Item = Movement> + use<> {
        let Lane { announced, moved, .. } = *lane;
        let releases_again = self.broken == Some(Broken::ReleaseHasNoId);
        let sell = (announced.paid || announced.taken_back) && !moved.sold;
        let release = announced.given_up && (!moved.released || releases_again);
        let give_back = announced.taken_back && moved.sold && !moved.returned;
        let which = [(sell, Movement::Sell), (release, Movement::Release), (give_back, Movement::Return)];
        which.into_iter().filter_map(|(is_wanted, movement)| is_wanted.then_some(movement))
    }
}

impl Why {
    pub fn ask(self, closed: Option<Page>) -> Ask {
        match self {
            Why::Cancelled => Ask::Cancel { closed },
            Why::Expired => Ask::Expire { closed },
        }
    }
}
