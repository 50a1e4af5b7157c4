//! The shop as the races see it: orders, their pages and payments at Stripe, the stock of one SKU, and calls of functions
//! that stand between two of their steps. What becomes of an order, `Order::decide` says; of the stock, `Stock::decide`.

use std::collections::BTreeMap;
use std::sync::Arc;

use stateright::{Model, Property};
use waybill_domain::id::LocationId;
use waybill_domain::stock::{Change, Selling, Stock};

use crate::calls::{Call, Then, Why};
use crate::matrix::{Ask, Known, Matrix, PLACED, Page, Refund, Told};
use crate::properties;

/// Of any shop here.
const MOST_PAGES: usize = 2;

pub struct Shop {
    pub matrix: Arc<Matrix>,
    pub orders: usize,
    pub units: u8,
    /// Pages at Stripe that an order may come to.
    pub pages: Page,
    /// Calls that are under way at one moment.
    pub at_once: usize,
    /// Whether banks hold what is paid until it is captured.
    pub is_captured_later: bool,
    pub broken: Option<Broken>,
}

/// A guard that is taken away, to see that it is missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The sweep says that it has closed the page, and has not.
    PageIsNotClosed,
    /// An order is saved whatever has become of it since it was read.
    VersionIsNotCompared,
    /// Stripe is asked for a refund without an idempotency key.
    RefundHasNoKey,
    /// The ledger takes a release whenever it is told of it.
    ReleaseHasNoId,
    /// Who cancels says that the bank holds the amount no longer, and it does.
    HoldIsNotReleased,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub available: u8,
    pub on_hand: u8,
    /// Sorted: which of two equal orders is which makes no difference.
    pub lanes: Vec<Lane>,
}

/// An order, and all that is about it alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane {
    /// None before it is placed.
    pub order: Option<Known>,
    /// By attempt.
    pub pages: [AtStripe; MOST_PAGES],
    /// Pages whose address the order has told its buyer.
    pub named: [bool; MOST_PAGES],
    /// Refunds that Stripe has made.
    pub refunds: u8,
    /// What is announced to the stock, and can come at any time and again.
    pub announced: Announced,
    pub moved: Moved,
    pub calls: Vec<Call>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AtStripe {
    #[default]
    NotMade,
    Open,
    /// The bank holds the amount.
    Held,
    Paid,
    /// Nothing was paid on it, and nothing will be.
    Closed,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Announced {
    pub paid: bool,
    pub given_up: bool,
    pub taken_back: bool,
}

/// The order's movements in the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Moved {
    pub sold: bool,
    pub released: bool,
    pub returned: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Place(usize),
    /// The buyer asks for a page to pay on.
    StartPayment(usize),
    GiveUp(usize, Why),
    /// A message of the queue, or Stripe's event: they may come twice, late and in any order.
    Bring(usize, Ask),
    MakeRefund(usize),
    Step(usize, usize),
    /// A function is killed.
    Kill(usize, usize),
    /// Somebody pays, whoever has told them the address.
    Pay(usize, Page),
    /// Stripe closes a page whose time is over, or the bank lets go of what it held.
    Close(usize, Page),
    /// Staff take what the bank holds.
    Capture(usize, Page),
    Move(usize, Movement),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Movement {
    Sell,
    Release,
    Return,
}

impl Model for Shop {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World { available: self.units, on_hand: self.units, lanes: vec![Lane::default(); self.orders] }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        let is_free = world.lanes.iter().map(|lane| lane.calls.len()).sum::<usize>() < self.at_once;
        for (place, lane) in world.lanes.iter().enumerate() {
            let Some(order) = lane.order else {
                actions.push(Action::Place(place));
                continue;
            };
            for page in 1..=self.pages {
                match lane.page(page) {
                    AtStripe::Open => actions.extend([Action::Pay(place, page), Action::Close(place, page)]),
                    AtStripe::Held => actions.push(Action::Close(place, page)),
                    AtStripe::NotMade | AtStripe::Paid | AtStripe::Closed => {}
                }
            }
            actions
                .extend((0..lane.calls.len()).flat_map(|call| [Action::Step(place, call), Action::Kill(place, call)]));
            actions.extend(self.movements(lane).map(|movement| Action::Move(place, movement)));
            if is_free {
                actions.push(Action::StartPayment(place));
                actions.extend([Why::Cancelled, Why::Expired].map(|why| Action::GiveUp(place, why)));
                actions.extend(lane.events().map(|ask| Action::Bring(place, ask)));
                if let Some(page) = self.matrix.standing(order).held {
                    actions.push(Action::Capture(place, page));
                }
                if self.matrix.standing(order).refund == Some(Refund::Due) {
                    actions.push(Action::MakeRefund(place));
                }
            }
        }
    }

    fn next_state(&self, before: &World, action: Action) -> Option<World> {
        let mut world = before.clone();
        match action {
            Action::Place(place) => {
                world.available = world.available.checked_sub(1)?;
                world.lanes[place].order = Some(PLACED);
            }
            Action::StartPayment(place) => {
                let (attempt, has_page) = self.matrix.standing(world.lanes[place].order?).attempt?;
                if attempt > self.pages {
                    return None;
                }
                let call = if has_page { Call::LookAtPage(attempt) } else { Call::OpenPage(attempt) };
                world.lanes[place].calls.push(call);
            }
            Action::GiveUp(place, why) => {
                let lane = &mut world.lanes[place];
                let standing = self.matrix.standing(lane.order?);
                match (standing.attempt, standing.held) {
                    (Some((page, true)), _) => lane.calls.push(Call::ClosePage(page, why)),
                    (_, Some(page)) if why == Why::Cancelled => lane.calls.push(Call::ReleaseHold(page, why)),
                    (Some((_, false)) | None, _) => self.read(lane, why.ask(None), Then::End),
                }
            }
            Action::Bring(place, ask) => self.read(&mut world.lanes[place], ask, Then::End),
            Action::MakeRefund(place) => world.lanes[place].calls.push(Call::MakeRefund),
            Action::Step(place, call) => {
                let lane = &mut world.lanes[place];
                let call = lane.calls.remove(call);
                self.step(lane, call);
            }
            Action::Kill(place, call) => drop(world.lanes[place].calls.remove(call)),
            Action::Pay(place, page) => {
                let paid = if self.is_captured_later { AtStripe::Held } else { AtStripe::Paid };
                *world.lanes[place].page_mut(page) = paid;
            }
            Action::Capture(place, page) => world.lanes[place].calls.push(Call::Capture(page)),
            Action::Close(place, page) => *world.lanes[place].page_mut(page) = AtStripe::Closed,
            Action::Move(place, movement) => world.moves(place, movement),
        }
        world.lanes.iter_mut().for_each(|lane| lane.calls.sort_unstable());
        world.lanes.sort_unstable();
        (world != *before).then_some(world)
    }

    fn properties(&self) -> Vec<Property<Shop>> {
        properties::all(self)
    }

    /// What a broken shop does without end is not followed.
    fn within_boundary(&self, world: &World) -> bool {
        world.available <= self.units + 1 && world.lanes.iter().all(|lane| lane.refunds <= 2)
    }
}

impl World {
    /// A movement and its line in the ledger, in one transaction.
    fn moves(&mut self, place: usize, movement: Movement) {
        let moved = &mut self.lanes[place].moved;
        let (at, units) = (LocationId::MAIN, 1);
        let (line, change) = match movement {
            Movement::Sell => (&mut moved.sold, Change::Sell { units }),
            Movement::Release => (&mut moved.released, Change::Release { units }),
            Movement::Return => (&mut moved.returned, Change::Return { at, units }),
        };
        *line = true;
        let on_hand = BTreeMap::from([(at, self.on_hand.into())]);
        let stock = Stock { on_hand, selling: Selling::Stock, available: self.available.into() };
        let after = stock.after(&stock.decide(change).unwrap());
        self.available = after.available.try_into().unwrap();
        self.on_hand = after.total().try_into().unwrap();
    }
}

impl Lane {
    pub fn page(&self, page: Page) -> AtStripe {
        self.pages[usize::from(page) - 1]
    }

    pub fn page_mut(&mut self, page: Page) -> &mut AtStripe {
        &mut self.pages[usize::from(page) - 1]
    }

    /// What Stripe tells of this order, once and again.
    pub fn events(&self) -> impl Iterator<Item = Ask> {
        let of_page = |(page, at_stripe): (Page, &AtStripe)| match at_stripe {
            AtStripe::Held => vec![Ask::Authorise(page)],
            AtStripe::Paid => vec![Ask::Pay(page)],
            AtStripe::Closed => vec![Ask::ExpirePayment(page), Ask::Release(page)],
            AtStripe::NotMade | AtStripe::Open => vec![],
        };
        let refund = (self.refunds > 0).then_some(Ask::RefundWasMade);
        (1..).zip(&self.pages).flat_map(of_page).chain(refund)
    }

    pub fn announce(&mut self, ask: Ask, told: Told) {
        match told {
            Told::Nothing => {}
            Told::Paid => self.announced.paid = true,
            Told::GivenUp => self.announced.given_up = true,
            Told::TakenBack => self.announced.taken_back = true,
        }
        if let Ask::StartPayment(page) = ask {
            self.named[usize::from(page) - 1] = true;
        }
    }
}
