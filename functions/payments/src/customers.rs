//! Who buyers are at Stripe: a customer for each account, made when its holder begins to pay for the first time, so that Stripe's
//! page and its Elements offer the ways to pay that they chose to keep; and forgotten there when the account goes.
//!
//! Where Stripe refuses to make one, as to a restricted key that may not, the payment has none.

use std::collections::HashMap;

use stripe_client_core::StripeRequest;
use stripe_core::customer::{CreateCustomer, DeleteCustomer, SearchCustomer, UpdateCustomer};
use stripe_core::customer_session::{
    CreateCustomerSession, CreateCustomerSessionComponents, CreateCustomerSessionComponentsPaymentElement as Element,
    CreateCustomerSessionComponentsPaymentElementFeatures as Features,
    CreateCustomerSessionComponentsPaymentElementFeaturesPaymentMethodRedisplay as Redisplay,
    CreateCustomerSessionComponentsPaymentElementFeaturesPaymentMethodRemove as Remove,
    CreateCustomerSessionComponentsPaymentElementFeaturesPaymentMethodSave as Save,
    CreateCustomerSessionComponentsPaymentElementFeaturesPaymentMethodSaveUsage as Usage,
};
use waybill_domain::id::AccountId;
use waybill_domain::text::Email;
use waybill_lambda::random;
use waybill_storage::accounts::Holder;
use waybill_storage::payers::Payer;
use waybill_web::{Kind, Problem};

use crate::App;
use crate::line::StripeError;
use crate::objects::{Customer, CustomerSession, List};
use crate::stripe_api::{Stripe, failed, is_missing, told};

/// What our customers at Stripe name their account by.
const ACCOUNT: &str = "account_id";

/// Has Stripe make something for who an account's holder is there: as somebody new where it does not know them any more, and as
/// nobody where it makes no customers.
pub(crate) async fn for_holder<T, F>(
    app: &App,
    holder: &Holder,
    make: impl Fn(Option<String>) -> F,
) -> Result<T, Problem>
where
    F: Future<Output = Result<T, StripeError>>,
{
    let payer = payer(app, holder).await?;
    let made = match make(payer.as_ref().map(|payer| payer.customer.clone())).await {
        Err(StripeError::Refused(why, _)) if is_missing(&why) && why.param.as_deref() == Some("customer") => {
            let payer = anew(app, holder, payer.as_ref()).await?;
            make(payer.map(|payer| payer.customer)).await
        }
        made => made,
    };
    made.map_err(failed)
}

/// Who the holder is at Stripe, with the address that the account has now.
async fn payer(app: &App, holder: &Holder) -> Result<Option<Payer>, Problem> {
    let Some(known) = &holder.payer else { return anew(app, holder, None).await };
    if known.email == holder.email {
        return Ok(Some(known.clone()));
    }
    match app.stripe.tell_address(&known.customer, &holder.email).await {
        Ok(()) => keep(app, holder, Some(known), known.customer.clone()).await,
        Err(StripeError::Refused(why, _)) if is_missing(&why) => anew(app, holder, Some(known)).await,
        Err(error) => {
            tracing::warn!(error = told(&error), "a customer's address could not be changed at Stripe");
            Ok(Some(known.clone()))
        }
    }
}

/// Makes a customer, in place of one that Stripe does not have any more, as where it was deleted in Stripe's dashboard.
async fn anew(app: &App, holder: &Holder, gone: Option<&Payer>) -> Result<Option<Payer>, Problem> {
    match app.stripe.make_customer(holder.id, &holder.email, gone).await {
        Ok(customer) => keep(app, holder, gone, customer).await,
        // It will be the same the next time, so an attempt to pay is put to Stripe in the same words each time.
        Err(error @ StripeError::Refused(_, 400..=408 | 410..=428 | 430..=499)) => {
            tracing::warn!(error = told(&error), "Stripe makes no customer; the payment has none");
            Ok(None)
        }
        Err(error) => Err(failed(error)),
    }
}

async fn keep(app: &App, holder: &Holder, before: Option<&Payer>, customer: String) -> Result<Option<Payer>, Problem> {
    let payer = Payer { customer, email: holder.email.clone() };
    if let Some(kept) = app.table.keep_payer(holder.id, before, &payer).await? {
        return Ok(Some(kept));
    }
    // What is not done here is done when the account has gone.
    if app.stripe.forget(holder.id, Some(&payer.customer)).await.is_err() {
        tracing::warn!("a customer of an account that leaves is not forgotten yet");
    }
    Err(Problem::new(Kind::Leaving, "This account is being deleted."))
}

impl Stripe {
    /// Asking again for the same account, in place of the same customer, answers the same for a day. After a crash and a day, or
    /// where Stripe has failed and made one all the same, there may be two; both are found when the account goes.
    async fn make_customer(
        &self,
        account: AccountId,
        email: &Email,
        gone: Option<&Payer>,
    ) -> Result<String, StripeError> {
        let gone = gone.map_or("", |payer| &payer.customer);
        // The same key has to come with the same address.
        let key = format!("{account}/customer/{}", random::hash(&format!("{gone}/{email}")));
        let name = HashMap::from([(ACCOUNT.to_owned(), account.to_string())]);
        let request = CreateCustomer::new().email(email.as_str()).metadata(name);
        let made: Customer = self.make(key, &request).await?;
        Ok(made.id)
    }

    async fn tell_address(&self, customer: &str, email: &Email) -> Result<(), StripeError> {
        let request = UpdateCustomer::new(customer).email(email.as_str()).build();
        request.customize::<Customer>().send(&self.client).await.map(drop)
    }

    /// What Stripe's Elements show and keep a customer's ways to pay with, for half an hour. None where Stripe does not make it.
    pub(crate) async fn customer_session(&self, customer: &str) -> Option<String> {
        let features = Features {
            payment_method_redisplay: Some(Redisplay::Enabled),
            payment_method_remove: Some(Remove::Enabled),
            payment_method_save: Some(Save::Enabled),
            payment_method_save_usage: Some(Usage::OnSession),
            ..Features::new()
        };
        let element = Element { features: Some(features), ..Element::new(true) };
        let components = CreateCustomerSessionComponents {
            payment_element: Some(element),
            ..CreateCustomerSessionComponents::new()
        };
        let request = CreateCustomerSession::new(components).customer(customer).build();
        match request.customize::<CustomerSession>().send(&self.client).await {
            Ok(made) => Some(made.client_secret),
            Err(error) => {
                tracing::warn!(error = told(&error), "Stripe made no customer session");
                None
            }
        }
    }

    /// Deletes all that Stripe keeps of an account's holder: `customer`, and whoever else names the account. Payments stay, and can
    /// be paid back. Doing it again is no harm.
    pub(crate) async fn forget(&self, account: AccountId, customer: Option<&str>) -> Result<(), String> {
        if let Some(customer) = customer {
            self.delete_customer(customer).await?;
        }
        let query = format!("metadata['{ACCOUNT}']:'{account}'");
        let request = SearchCustomer::new(query).limit(100).build().customize::<List<Customer>>();
        let found = request.send(&self.client).await.map_err(|error| told(&error))?;
        for other in found.data {
            self.delete_customer(&other.id).await?;
        }
        Ok(())
    }

    async fn delete_customer(&self, customer: &str) -> Result<(), String> {
        match DeleteCustomer::new(customer).build().customize::<Customer>().send(&self.client).await {
            Ok(_) => Ok(()),
            Err(StripeError::Refused(why, _)) if is_missing(&why) => Ok(()),
            Err(error) => Err(told(&error)),
        }
    }
}

#[cfg(test)]
impl Stripe {
    /// All that is asked about customers, of stripe-mock.
    pub(crate) async fn customers_of_stripes_own_mock(&self, account: AccountId, email: &Email) {
        let customer = self.make_customer(account, email, None).await.unwrap();
        self.tell_address(&customer, email).await.unwrap();
        assert!(self.customer_session(&customer).await.is_some());
        self.forget(account, Some(&customer)).await.unwrap();
    }
}
