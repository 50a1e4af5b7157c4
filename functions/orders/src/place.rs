//! Placing an order: one transaction, no read.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::LOCATION;
use serde::Deserialize;
use utoipa::ToSchema;
use waybill_domain::cart::{Quote, QuotedContact};
use waybill_domain::id::{OrderId, SessionId};
use waybill_domain::language::Language;
use waybill_domain::message::Actor;
use waybill_domain::money::Currency;
use waybill_domain::order::{self, Order};
use waybill_domain::product::Offer;
use waybill_domain::totals::Place;
use waybill_lambda::{clock, random};
use waybill_storage::placing::NotPlaced;
use waybill_storage::{Refused, Table};
use waybill_web::limits::{Address, Limit};
use waybill_web::problem::FieldError;
use waybill_web::query::Idempotency;
use waybill_web::{Bearer, Body, Fields, Kind, NewAddress, Problem, leaving, session_ended};

use crate::App;
use crate::view::OrderView;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOrder {
    /// The cart's `quote`.
    pub quote: String,
    shipping_address: NewAddress,
    /// What the buyer is to be mailed in; as their account says where it is left out, and the shop's own language where there
    /// are no mails in it.
    #[schema(value_type = Language, required = false, nullable = false)]
    language: Option<String>,
}

/// Place an order
///
/// All of the cart, at the prices of the quote, or nothing at all. Where the cart has a destination, the address has to lie
/// there. An order that comes to nothing is paid as it is placed.
#[utoipa::path(
    post,
    path = "/v1/orders",
    params(Idempotency),
    request_body = NewOrder,
    responses((status = 201, description = "The order is placed, now or by the first request with this key.", body = OrderView, headers(("location" = String, description = "The order's path."), ("idempotent-replayed" = String, description = "`true` when an earlier request placed it."))), (status = 409, description = "out-of-stock, price-changed, cart-changed, promotion-used-up, quote-expired")),
    security(("bearer" = [])),
)]
pub async fn place_order(
    State(app): State<App>,
    bearer: Bearer,
    address: Address,
    key: Result<Idempotency, Problem>,
    body: Result<Body<NewOrder>, Problem>,
) -> Result<Response, Problem> {
    let (limits, now) = (&app.guard.limits, clock::now());
    let Bearer { account, session } = bearer;
    let subject = account.to_string();
    tokio::try_join!(
        limits.take(Limit::OrderAccount, &subject, now),
        limits.take(Limit::OrderAddress, &address.0, now)
    )?;
    let asked = || {
        let (Idempotency(key), Body(body)) = (key?, body?);
        // What staff have put together, they place.
        let quote = app.seal.open(&body.quote).filter(|quote| quote.buyer == account && quote.draft.is_none());
        let quote = quote.ok_or_else(|| Problem::invalid_field("/quote", "must be the quote of your cart"))?;
        body.check(quote, OrderId::for_placement(account, &key))
    };
    let asked = asked();
    if let Ok(placing) = &asked
        && placing.quote.is_good_at(now)
        && let Some(contact) = placing.quote.contact.clone()
    {
        return asked?.place(&app.table, contact, Actor::Customer, Some(session)).await;
    }
    // Only what writes looks for the session as it does so.
    bearer.caller(&app.guard).await?;
    asked?.before(&app.table, quote_expired()).await
}

/// A request for an order that can be placed. A repeated one comes to the same id, and so meets the order of the first.
pub struct Placing {
    pub quote: Quote,
    id: OrderId,
    address: order::Address,
    language: Option<Language>,
    /// Tells two requests with the same key apart.
    fingerprint: String,
}

impl NewOrder {
    /// The request for an order of this id, with its opened quote.
    pub fn check(self, quote: Quote, id: OrderId) -> Result<Placing, Problem> {
        let mut fields = Fields::default();
        let address = self.shipping_address.check("/shipping_address", &mut fields);
        if let (Some(address), Some(destination)) = (&address, &quote.destination) {
            check_destination(address, destination, &mut fields);
        }
        let language = fields.take_optional("/language", self.language.map(|language| language.parse()));
        let address = fields.finish(|| address)?;
        let fingerprint = fingerprint(&self.quote, &address, language.as_ref())?;
        Ok(Placing { quote, id, address, language, fingerprint })
    }
}

impl Placing {
    /// Places the order of a quote that is still good; in a session of its buyer, if it stands.
    pub async fn place(
        self,
        table: &Table,
        buyer: QuotedContact,
        by: Actor,
        session: Option<SessionId>,
    ) -> Result<Response, Problem> {
        let Placing { quote, id, address, language, fingerprint } = self;
        let order = order::place(id, quote.clone(), buyer.email, address, by, clock::now());
        let order = order.in_language(language.or(buyer.language));
        let placed = match session {
            Some(session) => table.place_in_session(&order, &quote, &fingerprint, session).await,
            None => table.place_order(&order, &quote, &fingerprint).await,
        };
        match placed {
            Ok(()) => Ok(created(order, false)),
            Err(Refused::By(reasons)) => not_placed(reasons, &fingerprint, &order),
            Err(Refused::Failed(error)) => Err(error.into()),
        }
    }

    /// It cannot be placed any more; but a request before this one may have done so in time.
    pub async fn before(&self, table: &Table, refusal: Problem) -> Result<Response, Problem> {
        match table.placed_order(self.id).await? {
            Some((order, first)) if first == self.fingerprint => Ok(created(order, true)),
            Some(_) => Err(key_used()),
            None => Err(refusal),
        }
    }
}

pub fn quote_expired() -> Problem {
    Problem::new(Kind::QuoteExpired, "The quote has expired. Please look at the cart again.")
}

pub fn buyer_left() -> Problem {
    Problem::new(Kind::CustomerLeft, "The customer has deleted their account, or is about to.")
}

/// An order goes where its shipping and its tax were quoted for.
fn check_destination(address: &order::Address, destination: &Place, fields: &mut Fields) {
    if address.country != destination.country {
        let country = destination.country.as_str();
        fields.refuse("/shipping_address/country", format!("must be {country}, the destination of the cart"));
    } else if let Some(region) = destination.region.as_ref().filter(|_| !destination.covers(&address.into())) {
        fields.refuse("/shipping_address/region", format!("must be {region}, the destination of the cart"));
    }
}

fn key_used() -> Problem {
    Problem::invalid_header("Idempotency-Key", "was used before, for another request")
}

/// The answer to a request that made something of an order, now or when it came before with the same key.
pub fn created(order: Order, replayed: bool) -> Response {
    let location = [(LOCATION, format!("/v1/orders/{}", order.id))];
    let view = Json(OrderView::from(order));
    match replayed {
        false => (StatusCode::CREATED, location, view).into_response(),
        true => (StatusCode::CREATED, location, [("idempotent-replayed", "true")], view).into_response(),
    }
}

/// Without a language it is what it was before there were any: a request may be repeated over a deployment.
fn fingerprint(quote: &str, address: &order::Address, language: Option<&Language>) -> Result<String, Problem> {
    let body = match language {
        None => serde_json::to_string(&(quote, address)),
        Some(language) => serde_json::to_string(&(quote, address, language)),
    };
    let body = body.map_err(Problem::internal)?;
    Ok(random::hash(&body))
}

fn not_placed(reasons: Vec<NotPlaced>, fingerprint: &str, wanted: &Order) -> Result<Response, Problem> {
    let mut lines = Vec::new();
    let mut used_up = Vec::new();
    let (mut out_of_stock, mut cart_changed, mut contact_changed) = (false, false, false);
    for reason in reasons {
        match reason {
            NotPlaced::AlreadyPlaced { order, fingerprint: first } if first == fingerprint => {
                return Ok(created(*order, true));
            }
            NotPlaced::AlreadyPlaced { .. } => return Err(key_used()),
            NotPlaced::NumberTaken => {
                return Err(Problem::invalid_header(Idempotency::HEADER, "cannot be used; please send another one"));
            }
            NotPlaced::LineRefused { line, sku, offer } => {
                let (quantity, currency) = (wanted.lines[line].quantity.get(), wanted.lines[line].unit_price.currency);
                out_of_stock |=
                    offer.as_ref().is_none_or(|offer: &Offer| !offer.active || offer.orderable() < quantity.into());
                let detail = format!("{sku} {}", line_refusal(offer.as_ref(), quantity, currency));
                lines.push(FieldError::at(&format!("/quote/lines/{line}"), detail));
            }
            NotPlaced::PromotionUsedUp(name) => {
                used_up.push(FieldError::at("/quote", format!("{name} has been used as often as it may be")));
            }
            NotPlaced::NotExchanged(refusal) => return Err(refusal.into()),
            NotPlaced::BuyerLeft => return Err(buyer_left()),
            NotPlaced::SessionEnded => return Err(session_ended(wanted.buyer)),
            NotPlaced::Leaving => return Err(leaving()),
            // A cart that changed is looked at again, and so is what has changed meanwhile.
            NotPlaced::CartChanged => cart_changed = true,
            NotPlaced::ContactChanged => contact_changed = true,
        }
    }
    Err(match (lines.is_empty(), out_of_stock) {
        (true, _) if contact_changed => {
            let detail = "Your account has changed since the cart was quoted. Please look at the cart again.";
            Problem::new(Kind::CartChanged, detail)
        }
        // A cart that was ordered already has used its promotions up itself.
        (true, _) if cart_changed || used_up.is_empty() => {
            let detail = "The cart has changed since it was quoted. Please look at it again.";
            Problem::new(Kind::CartChanged, detail)
        }
        (true, _) => {
            let detail = "A promotion has been used up since the cart was quoted. Please look at it again.";
            Problem::new(Kind::PromotionUsedUp, detail).with_errors(used_up)
        }
        (false, true) => Problem::new(Kind::OutOfStock, "Not everything in the cart can be had.").with_errors(lines),
        (false, false) => {
            let detail = "A price has changed since the cart was quoted. Please look at it again.";
            Problem::new(Kind::PriceChanged, detail).with_errors(lines)
        }
    })
}

/// Why a line cannot be had as it was quoted.
fn line_refusal(offer: Option<&Offer>, wanted: u32, currency: Currency) -> String {
    let Some(offer) = offer.filter(|offer| offer.active) else { return "is not for sale any more".to_owned() };
    match (offer.orderable(), offer.price_in(currency)) {
        (0, _) => "is sold out".to_owned(),
        (available, _) if available < wanted.into() => format!("has only {available} left"),
        (_, Some(price)) => format!("costs {price} now"),
        (_, None) => format!("is not sold in {currency} any more"),
    }
}
