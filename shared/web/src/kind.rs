//! What can be wrong, as one table. The name is the last part of a problem's `type`, and clients may rely on it.

use http::StatusCode;

macro_rules! kinds {
    ($($kind:ident = $status:ident $name:literal: $meaning:literal;)*) => {
        /// A kind of problem.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind {
            $(#[doc = $meaning] $kind,)*
        }

        impl Kind {
            pub const ALL: &'static [Kind] = &[$(Kind::$kind),*];

            pub fn name(self) -> &'static str {
                match self {
                    $(Kind::$kind => $name,)*
                }
            }

            pub fn status(self) -> StatusCode {
                match self {
                    $(Kind::$kind => StatusCode::$status,)*
                }
            }

            /// What a client should know of it, in a sentence or two.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Kind::$kind => $meaning,)*
                }
            }
        }
    };
}

kinds! {
    BadRequest = BAD_REQUEST "bad-request": "The request cannot be read: its query string is broken, or its body did not arrive whole.";
    MalformedJson = BAD_REQUEST "malformed-json": "The body is not JSON.";
    BadSignature = BAD_REQUEST "bad-signature": "The header Stripe-Signature does not fit the body, or is too old.";
    Unauthorized = UNAUTHORIZED "unauthorized": "There is no valid token, or the credentials are wrong.";
    SecondFactor = UNAUTHORIZED "second-factor": "The password is right; the account also asks for a code, and none was given, or it is wrong or was used before.";
    SecondFactorMissing = FORBIDDEN "second-factor-missing": "Staff work in sessions in which a code of their second factor was given within the last 12 hours.";
    Forbidden = FORBIDDEN "forbidden": "The caller's role does not allow this.";
    NotFound = NOT_FOUND "not-found": "There is no such thing, or it is not the caller's to see.";
    UnknownRoute = NOT_FOUND "unknown-route": "There is nothing at this address.";
    MethodNotAllowed = METHOD_NOT_ALLOWED "method-not-allowed": "The address does not take this method.";
    Outdated = PRECONDITION_FAILED "outdated": "It has changed since the version that `If-Match` names.";
    VersionNeeded = PRECONDITION_REQUIRED "version-needed": "The header `If-Match` is missing: send the ETag of what you have read.";
    Taken = CONFLICT "taken": "A name that has to be unique belongs to something else already.";
    SecondFactorOn = CONFLICT "second-factor-on": "The account has a second factor already.";
    LastAdministrator = CONFLICT "last-administrator": "The shop would be without an administrator.";
    OpenOrders = CONFLICT "open-orders": "An order is under way, or can still be paid.";
    Leaving = CONFLICT "leaving": "The account is being deleted; nothing else can be done with it.";
    CustomerLeft = CONFLICT "customer-left": "The customer whom it is for has deleted their account, or is about to. Nothing was ordered.";
    AddressBookFull = CONFLICT "address-book-full": "The account keeps as many addresses as it can.";
    Changed = CONFLICT "changed": "Somebody else has changed it at the same moment. Read it again.";
    InUse = CONFLICT "in-use": "Something else depends on it, so it cannot be deleted.";
    TooMany = CONFLICT "too-many": "There are as many as there can be.";
    CartFull = CONFLICT "cart-full": "The cart holds as many different SKUs as it can.";
    CartChanged = CONFLICT "cart-changed": "The cart is not the quoted one any more. Read it again.";
    OutOfStock = CONFLICT "out-of-stock": "Not everything in the cart can be had; `errors` names the lines. Nothing was ordered.";
    NotEnoughStock = CONFLICT "not-enough-stock": "So many units are not on hand, or are ordered already.";
    InStock = CONFLICT "in-stock": "It can be ordered at this moment, so there is nothing to wait for.";
    PriceChanged = CONFLICT "price-changed": "A price is not the quoted one any more; `errors` names the lines. Nothing was ordered.";
    QuoteExpired = CONFLICT "quote-expired": "The quote is not honoured any more: it is older than 15 minutes, or a promotion in it has ended. Read the cart again.";
    PromotionUsedUp = CONFLICT "promotion-used-up": "A promotion of the quote has been used as often as it may be since; `errors` names it. Nothing was ordered. Read the cart again.";
    OrderState = CONFLICT "order-state": "The order's state does not allow this.";
    WrongAmount = CONFLICT "wrong-amount": "The amount is not the order's.";
    TooManyUnits = CONFLICT "too-many-units": "So many units of the order's line are not left for this.";
    RefundTooLarge = CONFLICT "refund-too-large": "So much of the payment is not left to refund.";
    TooManyPayments = CONFLICT "too-many-payments": "So many payments of this order have been tried that no other can be started.";
    AmountTooSmall = CONFLICT "amount-too-small": "The order's total is below what the payment provider takes.";
    AmountTooLarge = CONFLICT "amount-too-large": "The order's total is above what the payment provider takes. Order it in parts.";
    PaymentExpired = CONFLICT "payment-expired": "The payment page has just closed. Start again.";
    PaymentPending = CONFLICT "payment-pending": "A payment of this order is being confirmed.";
    TooLarge = PAYLOAD_TOO_LARGE "too-large": "The body is too large.";
    UnsupportedMediaType = UNSUPPORTED_MEDIA_TYPE "unsupported-media-type": "The body has to be JSON (of an import CSV or JSON Lines), and its Content-Type has to say so.";
    Invalid = UNPROCESSABLE_ENTITY "invalid": "The request was understood, but fields of it cannot be accepted; `errors` names each.";
    RateLimited = TOO_MANY_REQUESTS "rate-limited": "Too much was asked. Try again after `Retry-After` seconds; `RateLimit-Policy` names the limit.";
    Internal = INTERNAL_SERVER_ERROR "internal": "Something went wrong on our side. The request id leads to the cause.";
    Unavailable = SERVICE_UNAVAILABLE "unavailable": "The shop, or one that it depends on, is too busy just now. Try again after `Retry-After` seconds.";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_name_means_one_kind() {
        let names: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), Kind::ALL.len());
    }
}
