### Alles, was in Mails steht, auf Deutsch. en.ftl erklärt, wie eine weitere Sprache dazukommt.

## Wie die Sprache geschrieben wird.

direction = ltr
decimal-separator = ,
group-separator = .
list-separator = { ", " }
money = { $currency ->
    [EUR] { $amount }{ "\u00A0" }€
    [GBP] { $amount }{ "\u00A0" }£
    [JPY] { $amount }{ "\u00A0" }¥
    [USD] { $amount }{ "\u00A0" }$
   *[other] { $amount }{ "\u00A0" }{ $currency }
}
less = -{ $money }
date = { $day }. { $month ->
    [1] Januar
    [2] Februar
    [3] März
    [4] April
    [5] Mai
    [6] Juni
    [7] Juli
    [8] August
    [9] September
    [10] Oktober
    [11] November
   *[12] Dezember
} { $year }

## Was in mehreren Mails steht.

subject = { $shop }: { $subject }
units = { $quantity } × { $title } ({ $sku })
line = je { $price }, zusammen { $total }
tracking = Sendungsnummer
parcel = Im Paket
order = Bestellung { $number } vom { $date }
subtotal = Zwischensumme
shipping = Versand
discount = Rabatt
tax = Steuer
total = Gesamtbetrag
tax-included = Enthaltene Steuer
address = Lieferadresse
return-address = Rücksendung an
see-order = Bestellung ansehen
-not-you = Falls Sie das nicht waren, können Sie diese E-Mail ignorieren: Es passiert nichts.
-somebody-else = Falls Sie das nicht waren, setzen Sie bitte sofort ein neues Passwort: über „Passwort vergessen“ bei der Anmeldung.

## Zu Bestellungen.

order-authorised =
    .subject = Wir haben Ihre Bestellung erhalten
    .heading = Vielen Dank für Ihre Bestellung
    .lead = Ihre Bank hat { $total } für uns vorgemerkt. Wir buchen den Betrag ab, sobald Ihre Bestellung versandfertig ist, und melden uns dann wieder.
order-to-pay =
    .subject = Bitte bezahlen Sie Ihre Bestellung
    .heading = Wir haben Ihre Bestellung aufgenommen
    .lead = Wie gewünscht haben wir diese Bestellung für Sie zusammengestellt. Bitte melden Sie sich an, um sie anzusehen und zu bezahlen. Wird sie nicht rechtzeitig bezahlt, verfällt sie.
order-free =
    .subject = Ihre Bestellung ist bestätigt
    .heading = Vielen Dank für Ihre Bestellung
    .lead = Es ist nichts zu bezahlen. Wir melden uns wieder, sobald Ihre Bestellung unterwegs ist.
order-confirmed =
    .subject = Ihre Bestellung ist bestätigt
    .heading = Vielen Dank für Ihre Bestellung
    .lead = Ihre Zahlung ist eingegangen. Wir melden uns wieder, sobald Ihre Bestellung unterwegs ist.
payment-failed =
    .subject = Ihre Zahlung ist fehlgeschlagen
    .heading = Ihre Zahlung ist fehlgeschlagen
    .lead = Ihre Bank hat die Zahlung abgelehnt; es wurde nichts abgebucht. Ihre Bestellung bleibt noch eine Weile für Sie reserviert: Bitte versuchen Sie es noch einmal, vielleicht mit einer anderen Zahlungsart.
order-processing =
    .subject = Ihre Bestellung wird vorbereitet
    .heading = Wir bereiten Ihre Bestellung vor
    .lead = Ihre Bestellung wird gerade zusammengestellt und verpackt.
order-readdressed =
    .subject = Ihre Bestellung geht an eine andere Adresse
    .heading = Wir haben die Adresse geändert
    .lead = Ihre Bestellung geht an die unten stehende Adresse. Falls Sie das nicht veranlasst haben, geben Sie uns bitte sofort Bescheid.
order-partially-shipped =
    .subject = Ein Teil Ihrer Bestellung wurde versandt
    .heading = Ein Teil Ihrer Bestellung ist unterwegs
    .lead = Wir haben ein Paket an den Versanddienst übergeben; der Rest folgt.
order-shipped =
    .subject = Ihre Bestellung wurde versandt
    .heading = Ihre Bestellung ist unterwegs
    .lead = Wir haben Ihr Paket an den Versanddienst übergeben.
order-delivered =
    .subject = Ihre Bestellung wurde zugestellt
    .heading = Ihre Bestellung ist angekommen
    .lead = Der Versanddienst hat uns die Zustellung Ihres Pakets gemeldet. Wir wünschen Ihnen viel Freude damit.
parcel-delivered =
    .subject = Ein Paket wurde zugestellt
    .heading = Ein Paket Ihrer Bestellung ist angekommen
    .lead = Der Versanddienst hat uns die Zustellung eines Ihrer Pakete gemeldet.
order-cancelled =
    .subject = Ihre Bestellung wurde storniert
    .heading = Ihre Bestellung wurde storniert
    .lead = Sie war nicht bezahlt; Sie schulden uns nichts.
order-expired =
    .subject = Ihre Bestellung ist verfallen
    .heading = Ihre Bestellung ist verfallen
    .lead = Wir haben nicht rechtzeitig eine Zahlung erhalten, deshalb haben wir die Bestellung aufgehoben. Sie schulden uns nichts und können jederzeit gern neu bestellen.
order-cancelled-free =
    .subject = Ihre Bestellung wurde storniert
    .heading = Ihre Bestellung wurde storniert
    .lead = Sie schulden uns nichts.
order-cancelled-with-refund =
    .subject = Ihre Bestellung wurde storniert
    .heading = Ihre Bestellung wurde storniert
    .lead = Wir erstatten Ihnen { $refund } auf dem Weg, auf dem Sie bezahlt haben. Wir melden uns, sobald das Geld unterwegs ist.
order-rest-cancelled =
    .subject = Ein Teil Ihrer Bestellung wurde storniert
    .heading = Wir können den Rest Ihrer Bestellung nicht liefern
    .lead = Es tut uns leid, aber das können wir nicht mehr liefern: { $lines }.
    .refund = Wir erstatten Ihnen { $refund } auf dem Weg, auf dem Sie bezahlt haben.
order-paid-late =
    .subject = Ihre Zahlung kam zu spät
    .heading = Ihre Zahlung kam zu spät
    .lead = Die Bestellung war bereits aufgehoben. Deshalb erstatten wir Ihnen { $refund } auf dem Weg, auf dem Sie bezahlt haben.
order-refunded =
    .subject = Ihre Erstattung
    .heading = Ihre Erstattung ist unterwegs
    .lead = Wir haben Ihnen { $refund } auf dem Weg erstattet, auf dem Sie bezahlt haben. Bis Ihre Bank den Betrag anzeigt, können einige Tage vergehen.
return-approved =
    .subject = Bitte senden Sie die Ware zurück
    .heading = Sie können die Ware zurücksenden
    .lead = Wir haben Ihre Rücksendung freigegeben. Verpacken Sie die Ware bitte sorgfältig, schreiben Sie Ihre Bestellnummer auf das Paket, senden Sie es an die unten stehende Adresse und bewahren Sie den Einlieferungsbeleg auf, bis Sie von uns hören.
return-refused =
    .subject = Zu Ihrer Rücksendung
    .heading = Wir können die Ware nicht zurücknehmen
    .lead = Der Grund: { $reason }
return-received =
    .subject = Ihre Rücksendung ist angekommen
    .heading = Ihre Rücksendung ist angekommen
    .lead = Ihre Rücksendung ist bei uns eingetroffen. Wir melden uns, sobald das Geld an Sie unterwegs ist.

## Zu Kundenkonten.

sign-up =
    .subject = Bitte bestätigen Sie Ihre Adresse
    .heading = Willkommen
    .lead = Bitte bestätigen Sie mit dem Passwort, das Sie gerade gewählt haben, dass dies Ihre Adresse ist. Der Link gilt 24 Stunden.
    .button = Adresse bestätigen
    .closing = { -not-you }
sign-up-taken =
    .subject = Sie haben bereits ein Konto
    .heading = Sie haben bereits ein Konto
    .lead = Gerade wollte sich jemand mit dieser Adresse registrieren. Falls Sie es waren: Das ist nicht nötig. Melden Sie sich an oder setzen Sie ein neues Passwort, falls Sie Ihres vergessen haben.
    .button = Anmelden
    .closing = { -not-you }
password-reset =
    .subject = Neues Passwort setzen
    .heading = Neues Passwort setzen
    .lead = Jemand hat angegeben, das Passwort Ihres Kontos vergessen zu haben. Falls Sie es waren, setzen Sie ein neues. Der Link gilt einmal, eine Stunde lang.
    .button = Neues Passwort setzen
    .closing = { -not-you }
email-change =
    .subject = Bitte bestätigen Sie Ihre neue Adresse
    .heading = Ihre neue Adresse
    .lead = Bitte bestätigen Sie, dass Ihr Konto ab jetzt diese Adresse haben soll. Der Link gilt einmal, 24 Stunden lang.
    .button = Neue Adresse bestätigen
    .closing = { -not-you }
email-change-taken =
    .subject = Zu dieser Adresse gibt es bereits ein Konto
    .heading = Zu dieser Adresse gibt es bereits ein Konto
    .lead = Jemand möchte seinem Konto diese Adresse geben, aber zu ihr gibt es bereits eines. Wenn Sie die Adresse für ein anderes Konto verwenden möchten, löschen Sie zuerst dieses.
    .button = Anmelden
    .closing = { -not-you }
password-changed =
    .subject = Ihr Passwort wurde geändert
    .heading = Ihr Passwort wurde geändert
    .lead = Das Passwort Ihres Kontos wurde geändert, und Sie wurden überall sonst abgemeldet.
    .closing = { -somebody-else }
email-changed =
    .subject = Ihre Adresse wurde geändert
    .heading = Ihre Adresse wurde geändert
    .lead = Ihr Konto hat jetzt eine andere E-Mail-Adresse. Diese hier wird nicht mehr verwendet.
    .closing = Falls Sie das nicht waren, schreiben Sie uns bitte sofort.
second-factor-changed =
    .subject = Ihr zweiter Faktor wurde geändert
    .heading = Ihr zweiter Faktor wurde geändert
    .lead = Der zweite Faktor Ihres Kontos wurde eingerichtet oder entfernt.
    .closing = { -somebody-else }

## Zum Lager: an Mitarbeitende, wenn wenig übrig ist; an Kunden, wenn das Erwartete wieder da ist.

stock-low =
    .subject = Nur noch wenig von { $sku }
    .heading = Es ist nur noch wenig da
    .lead = Noch { $left } Stück von { $title } (SKU { $sku }). Sie wollten bei { $threshold } davon hören.
    .closing = Sie hören wieder davon, wenn nachgefüllt wurde und dann erneut wenig übrig ist.
stock-returned =
    .subject = { $title } ist wieder da
    .heading = Wieder da
    .lead = { $title } kann wieder bestellt werden.
    .button = Ansehen
    .closing = Sie wollten einmal davon hören, und das war es. Der Artikel ist nicht für Sie reserviert.
