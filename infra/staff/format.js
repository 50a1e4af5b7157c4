/**
 * Amounts, times and words as people read them.
 * @module
 */

/** @typedef {import('./types.d.ts').Money} Money */

/** @type {Map<string, Intl.NumberFormat>} */
const formats = new Map()

/** @param {string} currency */
function formatOf(currency) {
  const known = formats.get(currency)
  if (known) return known
  const format = new Intl.NumberFormat(undefined, { style: 'currency', currency })
  formats.set(currency, format)
  return format
}

/** How many digits the minor units of a currency are, 2 for USD and 0 for JPY. @param {string} currency */
export function exponent(currency) {
  return formatOf(currency).resolvedOptions().maximumFractionDigits ?? 2
}

/** Digits only, without arithmetic on fractions. @param {Money} money */
export function decimal({ amount, currency }) {
  const places = exponent(currency)
  const digits = String(Math.abs(amount)).padStart(places + 1, '0')
  const whole = digits.slice(0, digits.length - places)
  return `${amount < 0 ? '-' : ''}${whole}${places > 0 ? `.${digits.slice(-places)}` : ''}`
}

/** @param {Money} money */
export function amount(money) {
  // A string is exact, however large it is.
  return formatOf(money.currency).format(/** @type {any} */ (decimal(money)))
}

/** For axes, where there is little room. @param {Money} money */
export function shortAmount({ amount, currency }) {
  const options = /** @type {const} */ ({ style: 'currency', currency, notation: 'compact', maximumFractionDigits: 1 })
  return new Intl.NumberFormat(undefined, options).format(amount / 10 ** exponent(currency))
}

/**
 * What somebody typed, in minor units; undefined where it is no amount of the currency.
 * @param {string} text
 * @param {string} currency
 * @returns {number | undefined}
 */
export function minorUnits(text, currency) {
  const places = exponent(currency)
  const found = /^(\d{1,12})(?:[.,](\d+))?$/.exec(text.trim().replaceAll(/[\s']/g, ''))
  if (!found || (found[2] ?? '').length > places) return undefined
  return Number(found[1] + (found[2] ?? '').padEnd(places, '0'))
}

const day = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' })
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' })
const both = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' })

/** The reader's time zone, which times of orders are shown in. Reports count by the shop's, and say so. */
export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone

/** @param {string} at */
export function moment(at) {
  return both.format(new Date(at))
}

/** The time of today, the date of other days. @param {string} at */
export function recent(at) {
  const date = new Date(at)
  return date.toDateString() === new Date().toDateString() ? clock.format(date) : day.format(date)
}

/** A day of the shop's, which is no moment: `2026-11-27`. @param {string} date @param {Intl.DateTimeFormatOptions} options */
export function calendar(date, options = { day: 'numeric', month: 'short' }) {
  return new Intl.DateTimeFormat(undefined, { ...options, timeZone: 'UTC' }).format(new Date(`${date}T12:00:00Z`))
}

/** @param {number} count */
export function whole(count) {
  return new Intl.NumberFormat().format(count)
}

/** `partially_shipped` as words. @param {string} name */
export function words(name) {
  const text = name.replaceAll('_', ' ')
  return text.charAt(0).toUpperCase() + text.slice(1)
}

/** What happened, of a timeline's or an update's type. @param {string} type */
export function happening(type) {
  return EVENTS[type] ?? words(type.replace(/^order\./, ''))
}

/** @type {Record<string, string>} */
const EVENTS = {
  'order.placed': 'Placed',
  'order.payment_started': 'Payment page opened',
  'order.payment_declined': 'Payment declined',
  'order.payment_expired': 'Payment page closed unpaid',
  'order.payment_authorised': 'Payment authorised',
  'order.paid': 'Paid',
  'order.paid_late': 'Paid too late; the money goes back',
  'order.processing': 'Being packed',
  'order.partially_shipped': 'Shipped in part',
  'order.shipped': 'Shipped',
  'order.shipment_delivered': 'A parcel has arrived',
  'order.delivered': 'Delivered',
  'order.cancelled': 'Cancelled',
  'order.cancelled_with_refund': 'Cancelled; the money goes back',
  'order.rest_cancelled': 'The rest was cancelled',
  'order.expired': 'Expired unpaid',
  'order.refund_requested': 'Refund asked for',
  'order.refunded': 'Refunded',
  'order.refund_failed': 'Refund failed',
  'order.return_requested': 'Return asked for',
  'order.return_approved': 'Return approved',
  'order.return_refused': 'Return refused',
  'order.return_received': 'Return received',
  'order.address_changed': 'Address changed',
  'order.exchanged': 'Exchanged',
  'order.dispute_opened': 'Disputed by the bank',
  'order.dispute_updated': 'Dispute moved on',
  'order.dispute_closed': 'Dispute decided',
}

/** How a status looks: what is going well, what waits for somebody, what went wrong. @param {string} status */
export function tone(status) {
  if (['paid', 'delivered', 'succeeded', 'received', 'won'].includes(status)) return 'good'
  if (['authorised', 'processing', 'partially_shipped', 'shipped', 'approved'].includes(status)) return 'busy'
  if (['failed', 'disputed', 'lost', 'needs_response'].includes(status)) return 'bad'
  if (['pending', 'requested', 'unfulfilled'].includes(status)) return 'open'
  return 'over'
}
