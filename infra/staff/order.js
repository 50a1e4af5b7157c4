/**
 * One order, with all that has happened to it and what can be done with it.
 * @module
 */
import { account, ask, file, mayManage } from './api.js'
import { actionsOf, deleteNote, deliverParcel, returnActions, writeNote } from './actions.js'
import { announce, h, swap } from './dom.js'
import { amount, happening, whole, words, zone } from './format.js'
import { badge, when } from './orders.js'

/** @import { Action } from './actions.js' */
/** @import { Note, Order, Return, Shipment, ShopDocument, Units } from './types.d.ts' */
/** @import { Place } from './app.js' */
/** @import { Listener } from './feed.js' */

/** @param {HTMLElement} main @param {Place} place @returns {Promise<Listener>} */
export async function showOrder(main, { path }) {
  const id = encodeURIComponent(path[1])
  /** @type {Order} */
  let order
  /** @type {ShopDocument[]} */
  let documents = []
  /** @type {Note[]} */
  let notes = []

  async function load() {
    const [read, papers, written] = await Promise.all([
      ask('GET', `/v1/orders/${id}`),
      ask('GET', `/v1/admin/orders/${id}/documents`),
      ask('GET', `/v1/admin/orders/${id}/notes?limit=50`),
    ])
    // What was asked for later may have come earlier.
    if (order === undefined || read.version >= order.version) order = read
    documents = papers.items
    notes = written.items
  }

  async function reload() {
    await load()
    draw()
  }

  function draw() {
    document.title = `Order ${order.number} · Waybill staff`
    swap(main, head(order), buttons(actionsOf(order, mayManage()), order, reload), h('div', { class: 'halves' },
      h('div', {}, goods(order), parcels(order, reload), comingBack(order, reload), paidBack(order), disputes(order)),
      h('div', {}, buyer(order), papers(order, documents), remarks(order, notes, reload), history(order)),
    ))
  }

  await load()
  draw()
  return async news => {
    const ours = news === 'all' ? [] : news.filter(update => update.order_id === order.id && update.version > order.version)
    if (news !== 'all' && ours.length === 0) return
    await reload().catch(() => {})
    for (const { type } of ours) announce(`This order: ${happening(type)}`)
  }
}

/** @param {Order} order */
function head(order) {
  return h('div', { class: 'head' },
    h('p', {}, h('a', { href: '#/orders', id: 'back' }, '← Orders')),
    h('h1', { tabindex: -1 }, `Order ${order.number}`),
    h('p', { class: 'badges' }, badge(order.payment_status), badge(order.fulfilment_status)),
    h('p', { class: 'faint' }, 'Placed ', when(order.placed_at)),
    order.cancellation_reason && h('p', { class: 'notice' }, `Cancelled: ${order.cancellation_reason}`),
    order.exchange_for && h('p', { class: 'notice' }, 'In exchange for what comes back of ', h('a', { href: `#/orders/${order.exchange_for.order_id}`, id: 'exchange' }, order.exchange_for.number)),
  )
}

/** @param {Action[]} actions @param {Order} order @param {() => void} then */
function buttons(actions, order, then) {
  if (actions.length === 0) return null
  return h('div', { class: 'actions', role: 'group', 'aria-label': 'What can be done' },
    actions.map(({ name, label, look, open }) => h('button', { id: `do-${name}`, class: look, click: () => open(order, then) }, label)))
}

/** @param {string} title @param {(Node | null | false | undefined)[]} children */
function section(title, ...children) {
  return h('section', { class: 'card' }, h('h2', {}, title), children)
}

/** @param {Order} order */
function goods(order) {
  const items = order.lines.map(line => h('tr', {},
    h('th', { scope: 'row' }, line.title, h('small', {}, line.sku)),
    h('td', { class: 'amount' }, `${whole(line.quantity)} × ${amount(line.unit_price)}`),
    h('td', { class: 'amount' }, amount(line.total)),
  ))
  const titles = h('tr', { class: 'unseen' }, ['Product', 'Quantity', 'Total'].map(title => h('th', { scope: 'col' }, title)))
  return section('Goods', h('table', { class: 'goods' }, h('thead', {}, titles), h('tbody', {}, items), h('tfoot', {}, sums(order))))
}

/** @param {Order} order */
function sums({ total, totals }) {
  /** @param {string} label @param {import('./types.d.ts').Money} money @param {boolean} [isTotal] */
  const row = (label, money, isTotal = false) =>
    h('tr', { class: isTotal && 'total' }, h('th', { scope: 'row', colspan: 2 }, label), h('td', { class: 'amount' }, amount(money)))
  if (!totals) return [row('Total', total, true)]
  const { subtotal, discounts, shipping, tax } = totals
  const less = discounts.applied.filter(one => one.amount.amount > 0).map(({ code, title, amount: off }) =>
    row(code ? `${title} (${code})` : title, { ...off, amount: -off.amount }))
  const rows = less.length > 0 || shipping.price || tax.amount?.amount ? [row('Goods', subtotal), ...less] : []
  if (shipping.price) rows.push(row(`Shipping${shipping.title ? `, ${shipping.title}` : ''}`, shipping.price))
  if (tax.amount && tax.prices === 'exclude_tax') rows.push(row('Tax', tax.amount))
  rows.push(row('Total', total, true))
  if (tax.amount && tax.prices === 'include_tax' && tax.amount.amount > 0) rows.push(row('of which tax', tax.amount))
  return rows
}

/** @param {Order} order @param {Units[]} lines */
function listed(order, lines) {
  const title = (/** @type {string} */ sku) => order.lines.find(line => line.sku === sku)?.title ?? sku
  return h('ul', { class: 'units' }, lines.map(({ sku, quantity }) => h('li', {}, `${whole(quantity)} × ${title(sku)}`)))
}

/** @param {Order} order @param {() => void} then */
function parcels(order, then) {
  if (order.shipments.length === 0) return null
  /** @param {Shipment} parcel */
  const parcelOf = parcel => h('li', {},
    h('p', {}, h('strong', {}, parcel.carrier), ' ', h('span', { class: 'code' }, parcel.tracking_number)),
    listed(order, parcel.lines),
    h('p', { class: 'faint' }, 'Shipped ', when(parcel.shipped_at), parcel.delivered_at && ', arrived ', parcel.delivered_at && when(parcel.delivered_at)),
    mayManage() && !parcel.delivered_at && h('button', { id: `arrived-${parcel.number}`, click: () => deliverParcel(order, parcel, then) }, 'It has arrived'),
  )
  const rest = order.cancelled_rest
  return section('Parcels', h('ol', { class: 'things' }, order.shipments.map(parcelOf)),
    rest && h('p', { class: 'faint' }, `Not sent any more: ${rest.reason}`), rest && listed(order, rest.lines))
}

/** @param {Order} order @param {() => void} then */
function comingBack(order, then) {
  if (order.returns.length === 0) return null
  /** @param {Return} one */
  const returnOf = one => h('li', {},
    h('p', {}, badge(one.status), ' ', one.reason),
    listed(order, one.lines),
    one.received && h('p', { class: 'faint' }, `Came back: ${one.received.map(line => `${line.quantity} × ${line.sku}, ${words(line.condition).toLowerCase()}`).join('; ')}`),
    one.refusal && h('p', { class: 'faint' }, `Refused: ${one.refusal}`),
    one.exchange_order && h('p', {}, 'Exchanged for ', h('a', { href: `#/orders/${one.exchange_order.id}`, id: `exchanged-${one.number}` }, one.exchange_order.number)),
    mayManage() && h('p', { class: 'buttons' }, returnActions(one).map(({ name, label, look, open }) =>
      h('button', { id: `${name}-${one.number}`, class: look, click: () => open(order, then, one) }, label))),
  )
  return section('Returns', h('ol', { class: 'things' }, order.returns.map(returnOf)))
}

/** @param {Order} order */
function paidBack(order) {
  if (order.refunds.length === 0) return null
  return section('Refunds', h('ol', { class: 'things' }, order.refunds.map(refund => h('li', {},
    h('p', {}, h('strong', {}, amount(refund.amount)), ' ', badge(refund.status), ' ', refund.reason ?? (refund.cause === 'requested' ? '' : words(refund.cause))),
    refund.lines && listed(order, refund.lines),
    h('p', { class: 'faint' }, 'Asked for ', when(refund.requested_at)),
  ))))
}

/** @param {Order} order */
function disputes(order) {
  if (order.disputes.length === 0) return null
  return section('Disputes', h('ol', { class: 'things' }, order.disputes.map(one => h('li', {},
    h('p', {}, h('strong', {}, amount(one.amount)), ' ', badge(one.status), ' ', words(one.reason)),
    h('p', { class: 'faint' }, 'Since ', when(one.opened_at), '. It is answered at Stripe.'),
  ))))
}

/** @param {Order} order */
function buyer({ email, shipping_address: to }) {
  const lines = to && [to.name, to.line1, to.line2, [to.postal_code, to.city].join(' '), to.region, to.country].filter(Boolean)
  return section('Buyer',
    h('p', { class: 'email' }, email ?? 'They have deleted their account.'),
    lines && h('address', {}, lines.map(line => h('span', {}, line))))
}

/** @param {Order} order @param {ShopDocument[]} documents */
function papers(order, documents) {
  if (documents.length === 0) return null
  const status = h('p', { role: 'status' })
  /** @param {ShopDocument} paper */
  async function open(paper) {
    status.textContent = ''
    try {
      const url = URL.createObjectURL(await file(`/v1/admin/orders/${order.id}/documents/${encodeURIComponent(paper.number)}`))
      h('a', { href: url, download: `${paper.number}.pdf` }).click()
      setTimeout(() => URL.revokeObjectURL(url), 60_000)
    } catch (error) {
      status.textContent = error instanceof Error ? error.message : ''
    }
  }
  return section('Documents', h('ul', { class: 'things' }, documents.map(paper => h('li', { class: 'line' },
    h('span', {}, words(paper.kind), ' ', h('span', { class: 'code' }, paper.number)),
    h('span', { class: 'amount' }, amount(paper.total)),
    h('button', { id: `paper-${paper.number}`, 'aria-label': `${words(paper.kind)} ${paper.number} as PDF`, click: () => open(paper) }, 'PDF'),
  ))), status)
}

/** @param {Order} order @param {Note[]} notes @param {() => void} then */
function remarks(order, notes, then) {
  return section('Notes',
    notes.length === 0 ? h('p', { class: 'faint' }, 'For other staff; the buyer never sees them.') : h('ul', { class: 'things' }, notes.map(note => h('li', {},
      h('p', { class: 'prose' }, note.text),
      h('p', { class: 'faint' }, whose(note), when(note.at), ' ',
        h('button', { class: 'link', id: `forget-${note.id}`, 'aria-label': `Delete the note “${note.text.slice(0, 40)}”`, click: () => deleteNote(order, note, then) }, 'Delete')),
    ))),
    h('button', { id: 'write-note', click: () => writeNote(order, then) }, 'Write a note'))
}

/** @param {Note} note */
function whose({ by }) {
  if (by === undefined) return 'Noted by itself, '
  return by === account()?.id ? 'You, ' : 'A colleague, '
}

/** @param {Order} order */
function history({ timeline }) {
  return section('What has happened', h('ol', { class: 'history' }, timeline.map(({ at, type, by }) =>
    h('li', {}, h('span', {}, happening(type)), h('span', { class: 'faint' }, when(at), ` · ${by}`)))),
  h('p', { class: 'faint' }, `Times are those of ${zone}.`))
}
