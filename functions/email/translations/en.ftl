### All that mails say, in English. Another language is a copy of this file, named by its code (such as fr.ftl or pt-BR.ftl),
### with the right-hand sides translated: https://projectfluent.org/fluent/guide. A test tells what is missing or too much.

## How the language is written.

# ltr or rtl.
direction = ltr
decimal-separator = .
group-separator = ,
list-separator = { ", " }
# $amount is the number with its separators, $currency the code of ISO 4217.
money = { $currency ->
    [AUD] A${ $amount }
    [CAD] CA${ $amount }
    [EUR] €{ $amount }
    [GBP] £{ $amount }
    [JPY] ¥{ $amount }
    [USD] ${ $amount }
   *[other] { $currency }{ "\u00A0" }{ $amount }
}
less = -{ $money }
# $month is 1 to 12.
date = { $month ->
    [1] January
    [2] February
    [3] March
    [4] April
    [5] May
    [6] June
    [7] July
    [8] August
    [9] September
    [10] October
    [11] November
   *[12] December
} { $day }, { $year }

## What several mails say.

subject = { $shop }: { $subject }
units = { $quantity } × { $title } ({ $sku })
line = { $price } each, { $total }
tracking = Tracking
parcel = In the parcel
order = Order { $number } of { $date }
subtotal = Subtotal
shipping = Shipping
discount = Discount
tax = Tax
total = Total
tax-included = Tax included
address = Deliver to
return-address = Send it back to
see-order = See your order
-not-you = If this was not you, you can ignore this mail: nothing happens.
-somebody-else = If this was not you, set a new password now, with "forgotten password" at our log-in.

## About orders.

order-authorised =
    .subject = we have received your order
    .heading = Thank you for your order
    .lead = Your bank has set { $total } aside for us. We will take it once your order is ready to be sent, and write again then.
order-to-pay =
    .subject = please pay for your order
    .heading = We have placed your order
    .lead = As you have asked us to, we have put this order together for you. Please log in to see it and to pay for it; it is given up when it is not paid in time.
order-free =
    .subject = your order is confirmed
    .heading = Thank you for your order
    .lead = There is nothing to pay. We will write again when your order is on its way.
order-confirmed =
    .subject = your order is confirmed
    .heading = Thank you for your order
    .lead = We have received your payment. We will write again when your order is on its way.
payment-failed =
    .subject = your payment has failed
    .heading = Your payment has failed
    .lead = Your bank has declined the payment, and nothing was taken. Your order waits for you a little longer: please try again, perhaps in another way.
order-processing =
    .subject = your order is being prepared
    .heading = We are preparing your order
    .lead = Your order is being picked and packed.
order-readdressed =
    .subject = your order goes to another address
    .heading = We have changed the address
    .lead = Your order goes to the address below. If you did not ask for this, please tell us at once.
order-partially-shipped =
    .subject = a part of your order has shipped
    .heading = A part of your order is on its way
    .lead = We have handed a parcel to the carrier; the rest follows.
order-shipped =
    .subject = your order has shipped
    .heading = Your order is on its way
    .lead = We have handed your parcel to the carrier.
order-delivered =
    .subject = your order was delivered
    .heading = Your order has arrived
    .lead = The carrier tells us that your parcel was delivered. We hope you enjoy it.
parcel-delivered =
    .subject = a parcel was delivered
    .heading = A parcel of your order has arrived
    .lead = The carrier tells us that one of your parcels was delivered.
order-cancelled =
    .subject = your order was cancelled
    .heading = Your order was cancelled
    .lead = It was not paid, and you owe us nothing.
order-expired =
    .subject = your order has expired
    .heading = Your order has expired
    .lead = We have not received a payment in time, so it was given up. You owe us nothing, and are welcome to order again.
order-cancelled-free =
    .subject = your order was cancelled
    .heading = Your order was cancelled
    .lead = You owe us nothing.
order-cancelled-with-refund =
    .subject = your order was cancelled
    .heading = Your order was cancelled
    .lead = We are paying { $refund } back, the way you paid. We will write again when it is on its way.
order-rest-cancelled =
    .subject = a part of your order was cancelled
    .heading = We cannot send the rest of your order
    .lead = We are sorry, but we cannot send these: { $lines }.
    .refund = We are paying { $refund } back, the way you paid.
order-paid-late =
    .subject = your payment came too late
    .heading = Your payment came too late
    .lead = The order had been given up, so we are paying { $refund } back, the way you paid.
order-refunded =
    .subject = your refund
    .heading = Your refund is on its way
    .lead = We have paid { $refund } back, the way you paid. Your bank may take some days to show it.
return-approved =
    .subject = please send the goods back
    .heading = You can send the goods back
    .lead = We have approved your return. Pack the goods well, write the number of your order on the parcel, send it to the address below, and keep the carrier's receipt until you hear from us.
return-refused =
    .subject = about your return
    .heading = We cannot take the goods back
    .lead = The reason is: { $reason }
return-received =
    .subject = your return has arrived
    .heading = Your return has arrived
    .lead = We have received what you sent back, and will write again when money is on its way to you.

## About accounts.

sign-up =
    .subject = confirm your address
    .heading = Welcome
    .lead = Please confirm that this is your address, with the password that you have just chosen. The link is good for 24 hours.
    .button = Confirm my address
    .closing = { -not-you }
sign-up-taken =
    .subject = you have an account already
    .heading = You have an account already
    .lead = Somebody has just tried to sign up with this address. If it was you: there is no need to. Log in, or set a new password if you have forgotten yours.
    .button = Log in
    .closing = { -not-you }
password-reset =
    .subject = set a new password
    .heading = Set a new password
    .lead = Somebody says that they have forgotten the password of your account. If it was you, set a new one. The link is good once, for an hour.
    .button = Set a new password
    .closing = { -not-you }
email-change =
    .subject = confirm your new address
    .heading = Your new address
    .lead = Please confirm that your account is to have this address from now on. The link is good once, for 24 hours.
    .button = Confirm my new address
    .closing = { -not-you }
email-change-taken =
    .subject = this address has an account already
    .heading = This address has an account already
    .lead = Somebody wants to give their account this address, but it has one already. If you want to use it for another account, delete this one first.
    .button = Log in
    .closing = { -not-you }
password-changed =
    .subject = your password was changed
    .heading = Your password was changed
    .lead = The password of your account was changed, and you were logged out everywhere else.
    .closing = { -somebody-else }
email-changed =
    .subject = your address was changed
    .heading = Your address was changed
    .lead = Your account has another e-mail address now. This one is not used any more.
    .closing = If this was not you, please write to us at once.
second-factor-changed =
    .subject = your second factor was changed
    .heading = Your second factor was changed
    .lead = The second factor of your account was set up or removed.
    .closing = { -somebody-else }

## About stock: to staff when little is left, to customers when what they waited for is back.

stock-low =
    .subject = little is left of { $sku }
    .heading = Little is left
    .lead = { $left } left of { $title } (SKU { $sku }). You wanted to hear of it at { $threshold }.
    .closing = You hear of it again when it was restocked and little is left once more.
stock-returned =
    .subject = { $title } is back
    .heading = It is back
    .lead = { $title } can be ordered again.
    .button = Look at it
    .closing = You asked us to tell you once, and this was it. It is not reserved for you.
