//! What holds in every world, what holds once it is quiet, and what has to come about for the rest to mean anything.

use stateright::Property;

use crate::matrix::{Ask, Outcome, Refund, Standing};
use crate::model::{AtStripe, Lane, Shop, World};

pub const OVERSOLD: &str = "no more is promised than there is";
pub const LEDGER: &str = "the stock is what its ledger says";
pub const CHARGED_ONCE: &str = "no order is charged twice";
pub const REFUNDED_ONCE: &str = "nothing is refunded twice, or that was not paid";
pub const NOT_BOTH: &str = "what is honoured is not refunded";
pub const PAGE_IS_CLOSED: &str =
    "nobody can pay on the page they were given once their order is given up, and no bank holds money";
pub const NOT_NEITHER: &str = "whoever has paid gets the goods or the money, in the end";
pub const BOOKS: &str = "the orders say what Stripe holds, in the end";
pub const STOCK_SETTLED: &str = "the stock has heard of every order, in the end";

pub fn all(shop: &Shop) -> Vec<Property<Shop>> {
    let mut all = vec![
        Property::<Shop>::always(OVERSOLD, |shop, world| {
            let held = world.lanes.iter().filter(|lane| shop.standing(lane).is_some_and(|order| !order.is_given_up));
            held.count() <= shop.units.into()
        }),
        Property::<Shop>::always(LEDGER, |shop, world| {
            let count = |is: fn(&Lane) -> bool| world.lanes.iter().filter(|lane| is(lane)).count();
            let taken = count(|lane| lane.order.is_some() && !lane.moved.released && !lane.moved.returned);
            let gone = count(|lane| lane.moved.sold && !lane.moved.returned);
            let (available, on_hand) = (usize::from(world.available), usize::from(world.on_hand));
            let units = usize::from(shop.units);
            available + taken == units && on_hand + gone == units
        }),
        Property::<Shop>::always(CHARGED_ONCE, |_, world| world.lanes.iter().all(|lane| charges(lane) <= 1)),
        Property::<Shop>::always(REFUNDED_ONCE, |_, world| {
            world.lanes.iter().all(|lane| lane.refunds <= charges(lane))
        }),
        Property::<Shop>::always(NOT_BOTH, |shop, world| {
            let honoured = |lane: &&Lane| shop.standing(lane).is_some_and(is_honoured);
            let is_kept =
                |lane: &Lane| lane.refunds == 0 && shop.standing(lane).is_none_or(|order| order.refund.is_none());
            world.lanes.iter().filter(honoured).all(is_kept)
        }),
        Property::<Shop>::always(PAGE_IS_CLOSED, |shop, world| {
            let is_given_up = |lane: &&Lane| shop.standing(lane).is_some_and(|order| order.is_given_up);
            let is_closed = |lane: &Lane| {
                let is_over = |page: &AtStripe| !matches!(page, AtStripe::Open | AtStripe::Held);
                lane.named.iter().zip(&lane.pages).all(|(is_named, page)| !is_named || is_over(page))
            };
            world.lanes.iter().filter(is_given_up).all(is_closed)
        }),
        Property::<Shop>::always(NOT_NEITHER, |shop, world| {
            let ends_well = |lane: &Lane, order: Standing| match charges(lane) {
                0 => !order.is_paid,
                _ if order.is_given_up => lane.refunds == 1 && order.refund == Some(Refund::Made),
                _ => is_honoured(order) && lane.refunds == 0,
            };
            shop.quiet(world).all(|(lane, order)| ends_well(lane, order))
        }),
        Property::<Shop>::always(BOOKS, |shop, world| {
            let adds_up = |lane: &Lane, order: Standing| {
                let refunded = u8::from(order.refund == Some(Refund::Made));
                i16::from(charges(lane)) - i16::from(lane.refunds) == i16::from(order.is_paid) - i16::from(refunded)
            };
            shop.quiet(world).all(|(lane, order)| adds_up(lane, order))
        }),
        Property::<Shop>::always(STOCK_SETTLED, |shop, world| {
            let is_settled = |lane: &Lane, order: Standing| {
                let is_back = lane.moved.released || lane.moved.returned;
                is_back == order.is_given_up && (!is_honoured(order) || lane.moved.sold)
            };
            shop.quiet(world).all(|(lane, order)| is_settled(lane, order))
        }),
        // Were one of these not to come about, the model would forbid too much.
        Property::<Shop>::sometimes("an order is paid and sold", |shop, world| {
            shop.quiet(world).any(|(lane, order)| is_honoured(order) && lane.moved.sold)
        }),
        Property::<Shop>::sometimes("a paid order is cancelled, and goes back with its money", |shop, world| {
            shop.quiet(world).any(|(lane, order)| lane.moved.returned && order.refund == Some(Refund::Made))
        }),
    ];
    if shop.is_captured_later {
        all.push(Property::<Shop>::always("no bank holds what nobody waits for, in the end", |shop, world| {
            let waits = |lane: &Lane, order: Standing| order.held.is_some() || !lane.pages.contains(&AtStripe::Held);
            shop.quiet(world).all(|(lane, order)| waits(lane, order))
        }));
        if shop.pages > 1 {
            all.push(Property::<Shop>::sometimes("what a bank let go of is paid again", |shop, world| {
                let is_second = |lane: &Lane| lane.page(1) == AtStripe::Closed && lane.page(2) == AtStripe::Paid;
                shop.quiet(world).any(|(lane, order)| is_honoured(order) && is_second(lane))
            }));
        }
    } else {
        // What is only held when the order has been given up is never captured.
        let late = "a payment comes when the order has been given up, and goes back";
        all.push(Property::<Shop>::sometimes(late, |shop, world| {
            shop.quiet(world).any(|(lane, order)| lane.moved.released && order.refund == Some(Refund::Made))
        }));
    }
    if shop.orders > shop.units.into() {
        all.push(Property::<Shop>::sometimes("what was given up is sold to somebody else", |shop, world| {
            let sold = world.lanes.iter().filter(|lane| lane.moved.sold && !lane.moved.returned).count();
            sold == usize::from(shop.units) && world.lanes.iter().any(|lane| lane.moved.released)
        }));
    }
    all
}

/// What Stripe has taken for an order.
fn charges(lane: &Lane) -> u8 {
    lane.pages.iter().map(|page| u8::from(*page == AtStripe::Paid)).sum()
}

fn is_honoured(order: Standing) -> bool {
    order.is_paid && !order.is_given_up
}

impl Shop {
    fn standing(&self, lane: &Lane) -> Option<Standing> {
        lane.order.map(|order| self.matrix.standing(order))
    }

    /// The orders that nothing will happen to by itself any more: nobody is at it, no page is open, whatever Stripe and the
    /// queues bring has been heard.
    fn quiet<'a>(&'a self, world: &'a World) -> impl Iterator<Item = (&'a Lane, Standing)> {
        world.lanes.iter().filter_map(|lane| {
            let (order, standing) = (lane.order?, self.standing(lane)?);
            let changes =
                |ask: Ask| matches!(self.matrix.decide(order, ask), Outcome::Becomes(..) | Outcome::ReleaseDue);
            let is_quiet = lane.calls.is_empty()
                && !lane.pages.contains(&AtStripe::Open)
                && standing.refund != Some(Refund::Due)
                && !lane.events().any(changes)
                && self.movements(lane).next().is_none();
            is_quiet.then_some((lane, standing))
        })
    }
}
