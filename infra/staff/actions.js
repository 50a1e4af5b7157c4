/**
 * What staff do with an order. Which of it an order's state permits is said here for the buttons; the API decides.
 * @module
 */
import { ask } from './api.js'
import { h } from './dom.js'
import { dialog, field, group, refusal } from './form.js'
import { amount, exponent, minorUnits, whole } from './format.js'
import { receive } from './receipt.js'
import { readUnits, unitsOf } from './units.js'

/** @import { Note, Order, Return, Shipment, Units } from './types.d.ts' */

/**
 * @typedef {object} Action
 * @property {string} name
 * @property {string} label
 * @property {string} [look]
 * @property {(order: Order, then: () => void) => void} open
 */

/** @param {Order} order @param {boolean} mayManage @returns {Action[]} */
export function actionsOf(order, mayManage) {
  if (!mayManage) return []
  const { payment_status: payment, fulfilment_status: fulfilment } = order
  const isPaid = ['paid', 'partially_refunded', 'refunded', 'disputed'].includes(payment)
  const isWaiting = fulfilment === 'unfulfilled' && payment !== 'expired'
  /** @type {[boolean, Action][]} */
  const all = [
    [payment === 'authorised' && isWaiting, { name: 'capture', label: 'Capture the payment', look: 'primary', open: capture }],
    [isPaid && fulfilment === 'unfulfilled', { name: 'process', label: 'Begin to pack', look: 'primary', open: pack }],
    [fulfilment === 'processing' || fulfilment === 'partially_shipped', { name: 'ship', label: 'Ship', look: 'primary', open: ship }],
    [fulfilment === 'shipped', { name: 'deliver', label: 'All has arrived', look: 'primary', open: deliver }],
    [isPaid && left(order) > 0, { name: 'refund', label: 'Refund', open: refund }],
    [isWaiting || fulfilment === 'processing', { name: 'address', label: 'Change the address', open: readdress }],
    [isWaiting || fulfilment === 'processing', { name: 'cancel', label: 'Cancel the order', look: 'danger quiet', open: cancel }],
    [fulfilment === 'partially_shipped', { name: 'cancel-rest', label: 'Cancel the rest', look: 'danger quiet', open: cancelRest }],
  ]
  return all.flatMap(([isPossible, action]) => (isPossible ? [action] : []))
}

/** What can still be paid back, in minor units, as far as that can be told. @param {Order} order */
function left({ total, refunds }) {
  return refunds.filter(({ status }) => status !== 'failed').reduce((rest, refund) => rest - refund.amount.amount, total.amount)
}

/** @param {Order} order @param {string} what */
const path = (order, what) => `/v1/admin/orders/${order.id}/${what}`

/** @param {Order} order @param {() => void} then */
function capture(order, then) {
  dialog({
    title: 'Capture the payment',
    intro: [h('p', {}, `The buyer's bank holds ${amount(order.total)}. Capturing takes all of it.`)],
    submit: `Take ${amount(order.total)}`,
    confirm: () => `Take ${amount(order.total)} from the buyer's bank now?`,
    read: () => ({}),
    send: () => ask('POST', path(order, 'capture')),
    done: 'The payment is captured.',
    then,
  })
}

/** @param {Order} order @param {() => void} then */
function pack(order, then) {
  const intro = [h('p', {}, 'The order is shown as being packed, and can be shipped then.')]
  dialog({ title: 'Begin to pack', intro, submit: 'Begin to pack', send: () => ask('POST', path(order, 'process')), done: 'The order is being packed.', then })
}

/** Most parcels of a day go by the same carrier. */
let carrierBefore = ''

/** @param {Order} order @param {() => void} then */
function ship(order, then) {
  const gone = [...order.shipments.flatMap(({ lines }) => lines), ...(order.cancelled_rest?.lines ?? [])]
  const units = unitsOf(order, order.lines, gone, 'all')
  const carrier = field({ label: 'Carrier', name: 'carrier', value: carrierBefore, attributes: { autofocus: true } })
  const number = field({ label: 'Tracking number', name: 'tracking_number', attributes: { autocapitalize: 'characters', spellcheck: 'false' } })
  const parcel = group({ legend: 'What is in the parcel', pointer: '/lines' }, units)
  dialog({
    title: 'Ship a parcel',
    fields: [carrier, number, parcel],
    submit: 'Ship',
    read: () => ({ carrier: carrier.input.value, tracking_number: number.input.value, lines: readUnits(units, '/lines') }),
    send: body => ask('POST', path(order, 'ship'), body),
    done: 'The parcel is on its way.',
    then: () => {
      carrierBefore = carrier.input.value
      then()
    },
  })
}

/** @param {Order} order @param {() => void} then */
function deliver(order, then) {
  const intro = [h('p', {}, 'Every parcel of the order has arrived. The buyer is told.')]
  dialog({ title: 'All has arrived', intro, submit: 'All has arrived', send: () => ask('POST', path(order, 'deliver')), done: 'The order has arrived.', then })
}

/** @param {Order} order @param {Shipment} parcel @param {() => void} then */
export function deliverParcel(order, parcel, then) {
  const intro = [h('p', {}, `${parcel.carrier} ${parcel.tracking_number} has arrived.`)]
  const send = () => ask('POST', path(order, `shipments/${parcel.number}/deliver`))
  dialog({ title: 'The parcel has arrived', intro, submit: 'It has arrived', send, done: 'The parcel has arrived.', then })
}

/** @param {Order} order @param {() => void} then */
function refund(order, then) {
  const { currency } = order.total
  const gone = order.refunds.filter(({ status }) => status !== 'failed').flatMap(({ lines }) => lines ?? [])
  const units = unitsOf(order, order.lines, gone, 'none')
  const kind = field({ label: 'Pay back', name: 'kind', options: [['units', 'Units of the order'], ['amount', 'An amount']] })
  const by = group({ legend: 'How many of each', pointer: '/lines', hint: 'At what was paid for them, with their tax and without shipping.' }, units)
  const sum = field({
    label: `Amount in ${currency}`,
    name: 'amount',
    pointer: ['/amount', '/amount/amount'],
    hint: `At most ${amount({ amount: left(order), currency })} of what was paid is left.`,
    attributes: { inputmode: 'decimal' },
  })
  const reason = field({ label: 'Reason, for the books', name: 'reason' })
  const isByUnits = () => kind.input.value === 'units'
  const choose = () => {
    by.element.hidden = !isByUnits()
    sum.element.hidden = isByUnits()
  }
  kind.input.addEventListener('change', choose)
  choose()

  /** @returns {{ lines?: Units[], amount?: import('./types.d.ts').Money, reason?: string }} */
  function read() {
    const why = reason.input.value.trim() ? { reason: reason.input.value } : {}
    if (isByUnits()) return { lines: readUnits(units, '/lines'), ...why }
    const minor = minorUnits(sum.input.value, currency)
    const example = exponent(currency) > 0 ? `1.${'0'.repeat(exponent(currency))}` : '100'
    if (minor === undefined) throw refusal('/amount', `Must be an amount such as ${example}`)
    return { amount: { amount: minor, currency }, ...why }
  }

  dialog({
    title: 'Refund',
    fields: [kind, by, sum, reason],
    submit: 'Pay back',
    danger: true,
    read,
    confirm: ({ lines, amount: money }) => `Pay back ${money ? amount(money) : `what was paid for ${counted(order, lines)}`} to ${order.email ?? 'the buyer'}? It cannot be undone.`,
    send: (body, key) => ask('POST', path(order, 'refunds'), body, key),
    done: 'The refund is asked for.',
    then,
  })
}

/** @param {Order} order @param {Units[]} lines */
function counted(order, lines) {
  return lines.map(({ sku, quantity }) => `${whole(quantity)} × ${order.lines.find(line => line.sku === sku)?.title ?? sku}`).join(', ')
}

/** @param {string} [label] */
const reasonField = (label = 'Reason') => field({ label, name: 'reason', hint: 'The buyer sees it.', attributes: { autofocus: true } })

/** @param {Order} order @param {() => void} then */
function cancel(order, then) {
  const reason = reasonField()
  const paid = ['paid', 'partially_refunded', 'disputed'].includes(order.payment_status) ? left(order) : 0
  const back = paid > 0 ? ` ${amount({ amount: paid, currency: order.total.currency })} goes back to the buyer.` : ''
  dialog({
    title: 'Cancel the order',
    fields: [reason],
    submit: 'Cancel the order',
    danger: true,
    read: () => ({ reason: reason.input.value }),
    confirm: () => `Cancel order ${order.number}?${back} It cannot be undone.`,
    send: body => ask('POST', path(order, 'cancel'), body),
    done: 'The order is cancelled.',
    then,
  })
}

/** @param {Order} order @param {() => void} then */
function cancelRest(order, then) {
  const reason = reasonField()
  dialog({
    title: 'Cancel the rest',
    intro: [h('p', {}, 'What has not been shipped is not sent any more. What was paid for it goes back, without shipping.')],
    fields: [reason],
    submit: 'Cancel the rest',
    danger: true,
    read: () => ({ reason: reason.input.value }),
    confirm: () => `Cancel what has not been shipped of order ${order.number}, and pay it back? It cannot be undone.`,
    send: body => ask('POST', path(order, 'cancel-rest'), body),
    done: 'The rest is cancelled.',
    then,
  })
}

/** @param {Order} order @param {() => void} then */
function readdress(order, then) {
  const at = order.shipping_address
  /** @param {string} label @param {keyof import('./types.d.ts').Address} name */
  const part = (label, name) => field({ label, name, value: at?.[name] ?? '' })
  const fields = [
    part('Name', 'name'), part('Street and number', 'line1'), part('More', 'line2'), part('Postal code', 'postal_code'), part('City', 'city'),
    part('Region', 'region'), part('Country', 'country'),
  ]
  const read = () => Object.fromEntries(fields.map(({ input }) => [input.name, input.value]).filter(([, value]) => value.trim() !== ''))
  const intro = [h('p', {}, 'Within the country and region that shipping and tax were reckoned for.')]
  dialog({ title: 'Change the address', intro, fields, submit: 'Send it there', read, send: body => ask('PUT', path(order, 'shipping-address'), body), done: 'The order goes there.', then })
}

/** @param {Return} one @returns {{ name: string, label: string, look?: string, open: (order: Order, then: () => void, one: Return) => void }[]} */
export function returnActions({ status }) {
  if (status !== 'requested' && status !== 'approved') return []
  const approving = { name: 'approve', label: 'Approve', look: 'primary', open: approve }
  const others = [{ name: 'receive', label: 'It is here', open: receive }, { name: 'refuse', label: 'Refuse', look: 'danger quiet', open: refuse }]
  return status === 'requested' ? [approving, ...others] : others
}

/** @param {Order} order @param {() => void} then @param {Return} one */
function approve(order, then, one) {
  const intro = [h('p', {}, 'The buyer is told that the goods may be sent.')]
  dialog({ title: 'Approve the return', intro, submit: 'Approve', send: () => ask('POST', path(order, `returns/${one.number}/approve`)), done: 'The return is approved.', then })
}

/** @param {Order} order @param {() => void} then @param {Return} one */
function refuse(order, then, one) {
  const reason = reasonField()
  const send = (/** @type {unknown} */ body) => ask('POST', path(order, `returns/${one.number}/refuse`), body)
  dialog({ title: 'Refuse the return', fields: [reason], submit: 'Refuse', danger: true, read: () => ({ reason: reason.input.value }), send, done: 'The return is refused.', then })
}

/** @param {Order} order @param {() => void} then */
export function writeNote(order, then) {
  const text = field({ label: 'Note', name: 'text', rows: 4, hint: 'For other staff. It goes when the buyer deletes their account.', attributes: { autofocus: true } })
  const send = (/** @type {unknown} */ body, /** @type {string} */ key) => ask('POST', path(order, 'notes'), body, key)
  dialog({ title: 'Write a note', fields: [text], submit: 'Keep it', read: () => ({ text: text.input.value }), send, done: 'The note is kept.', then })
}

/** @param {Order} order @param {Note} note @param {() => void} then */
export function deleteNote(order, note, then) {
  dialog({
    title: 'Delete the note',
    intro: [h('p', { class: 'prose' }, note.text)],
    submit: 'Delete',
    danger: true,
    send: () => ask('DELETE', path(order, `notes/${note.id}`)),
    done: 'The note is gone.',
    then,
  })
}
