//! Who may send a mail.

use waybill_storage::mails::Claim;

use crate::shop::{Shop, at};

#[tokio::test]
async fn a_mail_is_one_senders_at_a_time() {
    let shop = Shop::open().await;
    assert_eq!(shop.table.claim_mail("ord_1/1", at(0)).await.unwrap(), Claim::Granted);
    assert_eq!(shop.table.claim_mail("ord_1/1", at(1)).await.unwrap(), Claim::Held);
    assert_eq!(shop.table.claim_mail("ord_1/2", at(1)).await.unwrap(), Claim::Granted);
}

#[tokio::test]
async fn a_claim_runs_out_after_a_minute() {
    let shop = Shop::open().await;
    shop.table.claim_mail("ord_1/1", at(0)).await.unwrap();
    assert_eq!(shop.table.claim_mail("ord_1/1", at(60)).await.unwrap(), Claim::Held);
    assert_eq!(shop.table.claim_mail("ord_1/1", at(61)).await.unwrap(), Claim::Granted);
    assert_eq!(shop.table.claim_mail("ord_1/1", at(62)).await.unwrap(), Claim::Held);
}

#[tokio::test]
async fn a_mail_that_is_out_is_never_sent_again() {
    let shop = Shop::open().await;
    shop.table.claim_mail("ord_1/1", at(0)).await.unwrap();
    shop.table.mail_sent("ord_1/1", "ses-1", at(2)).await.unwrap();
    for seconds in [3, 61, 100_000] {
        assert_eq!(shop.table.claim_mail("ord_1/1", at(seconds)).await.unwrap(), Claim::Sent);
    }
    shop.table.release_mail("ord_1/1").await.unwrap();
    assert_eq!(shop.table.claim_mail("ord_1/1", at(3)).await.unwrap(), Claim::Sent);
}

#[tokio::test]
async fn a_released_mail_can_be_claimed_at_once() {
    let shop = Shop::open().await;
    shop.table.claim_mail("ord_1/1", at(0)).await.unwrap();
    shop.table.release_mail("ord_1/1").await.unwrap();
    assert_eq!(shop.table.claim_mail("ord_1/1", at(0)).await.unwrap(), Claim::Granted);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_claim_a_mail_at_once_one_may_send_it() {
    let shop = Shop::open().await;
    let claims: Vec<_> = (0..20)
        .map(|_| {
            let table = shop.table.clone();
            tokio::spawn(async move { table.claim_mail("ord_1/1", at(0)).await.unwrap() })
        })
        .collect();
    let mut granted = 0;
    for claim in claims {
        granted += usize::from(claim.await.unwrap() == Claim::Granted);
    }
    assert_eq!(granted, 1);
}
