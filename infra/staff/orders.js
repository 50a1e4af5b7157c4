/**
 * The list of orders, which follows them as they come.
 * @module
 */
import { announce, h, swap, time } from './dom.js'
import { ask, query } from './api.js'
import { errorBox, field, refusal, show } from './form.js'
import { amount, happening, moment, recent, tone, whole, words, zone } from './format.js'

/** @import { OrderCounts, OrderSummary, Page } from './types.d.ts' */
/** @import { Place } from './app.js' */
/** @import { Listener } from './feed.js' */

/** How many orders a page has: what a screen or two show. */
const LIMIT = '25'

/** The addresses of accounts that were looked for: they have no place in the browser's history. @type {Map<string, string>} */
const people = new Map()
/** @type {ReturnType<typeof setTimeout> | undefined} */
let later

/** @param {HTMLElement} main @param {Place} place @returns {Promise<Listener>} */
export async function showOrders(main, { parameters }) {
  const filter = Object.fromEntries(parameters)
  const asked = {
    status: filter.status,
    customer: filter.customer,
    sku: filter.sku,
    placed_from: filter.from && new Date(`${filter.from}T00:00`).toISOString(),
    placed_before: filter.to && dayAfter(filter.to),
    cursor: filter.cursor,
    limit: LIMIT,
  }
  const chips = h('nav', { class: 'chips', 'aria-label': 'By status' })
  const list = h('div', {})

  /** @returns {Promise<Page<OrderSummary>>} */
  async function load() {
    const [counts, next] = await Promise.all([ask('GET', '/v1/admin/orders/counts'), ask('GET', `/v1/admin/orders${query(asked)}`)])
    swap(chips, chipsOf(counts, filter))
    return next
  }
  let page = await load()
  drawList(list, page, filter, new Set())
  swap(main, h('h1', { tabindex: -1 }, 'Orders'), finder(filter), chips, said(filter), list, h('p', { class: 'foot' }, `Times are those of ${zone}, where you are.`))

  /** Reads the list again, and marks what has changed in it. */
  async function renew() {
    const before = new Map(page.items.map(order => [order.id, standing(order)]))
    page = await load()
    const changed = page.items.filter(order => before.get(order.id) !== standing(order)).map(({ id }) => id)
    if (changed.length > 0 || before.size !== page.items.length) drawList(list, page, filter, new Set(changed))
  }

  return async news => {
    await renew().catch(() => {})
    if (news === 'all') return
    tell(news, page.items)
    // The counts follow within seconds, and so may the list what was placed a moment ago.
    clearTimeout(later)
    later = setTimeout(() => main.isConnected && renew().catch(() => {}), 2_000)
  }
}

/** @param {OrderSummary} order */
function standing(order) {
  return `${order.payment_status} ${order.fulfilment_status}`
}

/** @param {import('./waybill-live.js').Update[]} news @param {OrderSummary[]} orders */
function tell(news, orders) {
  const latest = new Map(news.map(update => [update.order_id, update]))
  const lines = [...latest.values()].flatMap(({ order_id, type }) => {
    const order = orders.find(({ id }) => id === order_id)
    if (!order) return []
    return [type === 'order.placed' ? `New order ${order.number}, ${amount(order.total)}` : `Order ${order.number}: ${happening(type)}`]
  })
  if (lines.length === 0) return
  announce(lines.length > 3 ? `${lines.length} orders have changed` : lines.join('. '))
}

/** @param {HTMLElement} list @param {Page<OrderSummary>} page @param {Record<string, string>} filter @param {Set<string>} changed */
function drawList(list, page, filter, changed) {
  const rows = page.items.map(order => h('li', {}, row(order, changed.has(order.id))))
  const items = rows.length > 0 ? h('ul', { class: 'orders' }, rows) : h('p', { class: 'none' }, 'No order is like that.')
  swap(list, items, pages(page, cursor => `#/orders${query({ ...filter, cursor })}`))
}

/** @param {OrderSummary} order @param {boolean} isNews */
function row(order, isNews) {
  return h('a', { href: `#/orders/${order.id}`, id: `row-${order.id}`, class: isNews ? 'row news' : 'row' },
    h('span', { class: 'number' }, order.number),
    time(order.placed_at, recent(order.placed_at)),
    h('span', { class: 'email' }, order.email ?? 'Account deleted'),
    h('span', { class: 'units' }, order.units === 1 ? '1 unit' : `${whole(order.units)} units`),
    h('span', { class: 'badges' }, badge(order.payment_status), badge(order.fulfilment_status)),
    h('span', { class: 'money' }, amount(order.total)),
  )
}

/** A status, by its word; the colour only goes with it. @param {string} status */
export function badge(status) {
  return h('span', { class: `badge ${tone(status)}` }, words(status))
}

/**
 * Links to the pages around this one.
 * @param {Page<any>} page
 * @param {(cursor: string) => string} to
 */
export function pages({ next, previous }, to) {
  if (!next && !previous) return null
  return h('nav', { class: 'pages', 'aria-label': 'Pages' },
    previous && h('a', { class: 'button', id: 'previous', href: to(previous) }, 'Newer'),
    next && h('a', { class: 'button', id: 'next', href: to(next) }, 'Older'),
  )
}

/** @param {OrderCounts} counts @param {Record<string, string>} filter */
function chipsOf({ status }, filter) {
  const all = Object.values(status).reduce((sum, count) => sum + count, 0)
  const days = { from: filter.from, to: filter.to }
  const isFiltered = filter.status || filter.customer || filter.sku
  /** @param {string} name @param {string} label @param {number} count @param {boolean} isCurrent */
  const chip = (name, label, count, isCurrent) =>
    h('li', {}, h('a', { href: `#/orders${query({ status: name, ...days })}`, id: `chip-${name}`, 'aria-current': isCurrent && 'true' },
      `${label} `, h('span', { class: 'count' }, whole(count))))
  const each = Object.entries(status).map(([name, count]) => chip(name, words(name), count, filter.status === name))
  return h('ul', {}, chip('', 'All', all, !isFiltered), each)
}

/** What the list is narrowed to, beside a status, and the way back. @param {Record<string, string>} filter */
function said(filter) {
  const parts = []
  if (filter.customer) parts.push(`of ${people.get(filter.customer) ?? filter.customer}`)
  if (filter.sku) parts.push(`with ${filter.sku}`)
  if (filter.from) parts.push(`from ${filter.from}`)
  if (filter.to) parts.push(`to ${filter.to}`)
  if (parts.length === 0) return null
  return h('p', { class: 'said' }, `Orders ${parts.join(' ')}. `, h('a', { href: '#/orders', id: 'all' }, 'Show all'))
}

/** @param {string} date @returns {string} */
function dayAfter(date) {
  const day = new Date(`${date}T00:00`)
  day.setDate(day.getDate() + 1)
  return day.toISOString()
}

/** @param {Record<string, string>} filter */
function finder(filter) {
  const options = /** @type {[string, string][]} */ ([['number', 'Order number'], ['email', 'E-mail address'], ['sku', 'SKU']])
  const kind = field({ label: 'Find by', name: 'kind', options, value: filter.sku ? 'sku' : filter.customer ? 'email' : 'number' })
  const text = field({ label: '', name: 'text', value: filter.sku ?? people.get(filter.customer) ?? '', pointer: ['/text', '/email', 'sku'], attributes: { type: 'search', autocapitalize: 'none', spellcheck: 'false' } })
  const name = text.element.querySelector('label')
  const label = () => name?.replaceChildren(options.find(([key]) => key === kind.input.value)?.[1] ?? '')
  kind.input.addEventListener('change', label)
  label()
  const from = field({ label: 'Placed from', name: 'from', value: filter.from ?? '', attributes: { type: 'date' } })
  const to = field({ label: 'to', name: 'to', value: filter.to ?? '', attributes: { type: 'date' } })
  const box = errorBox()
  const dates = h('details', { id: 'dates', open: Boolean(filter.from || filter.to) }, h('summary', { id: 'dates-summary' }, 'Dates'), h('div', { class: 'side' }, from.element, to.element))
  const fields = h('div', { class: 'side' }, kind.element, text.element, h('button', { class: 'primary' }, 'Find'))
  return h('form', { class: 'find', role: 'search', novalidate: true, submit }, fields, dates, box)

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault()
    box.replaceChildren()
    const typed = text.input.value.trim()
    const days = { from: from.input.value, to: to.input.value }
    try {
      location.hash = `#/orders${await target(kind.input.value, typed, days, filter.status)}`
    } catch (error) {
      show(error, [text], box)
    }
  }
}

/**
 * Where what was typed is found.
 * @param {string} kind
 * @param {string} typed
 * @param {{ from: string, to: string }} days
 * @param {string | undefined} status
 */
async function target(kind, typed, days, status) {
  if (typed === '') return query({ status, ...days })
  if (kind === 'sku') {
    const sku = typed.toUpperCase()
    // What is no SKU is said here, beside the field.
    await ask('GET', `/v1/admin/orders${query({ sku, limit: '1' })}`)
    return query({ sku, ...days })
  }
  if (kind === 'number') {
    const order = await ask('GET', `/v1/orders/${encodeURIComponent(typed)}`).catch(meaning(404, 'There is no order of this number.'))
    return `/${order.id}`
  }
  const forbidden = meaning(403, 'Only administrators can look for people. Ask for the number of the order instead.')
  const { items } = await ask('POST', '/v1/admin/accounts/search', { email: typed }).catch(forbidden)
  if (items.length === 0) throw refusal('/text', 'Nobody has an account with this address.')
  people.set(items[0].id, items[0].email)
  return query({ customer: items[0].id, ...days })
}

/** Says in the reader's words what an answer of this status means. @param {number} status @param {string} detail @returns {(error: any) => never} */
function meaning(status, detail) {
  return error => {
    throw error.status === status ? refusal('/text', detail) : error
  }
}

/** @param {string} at */
export function when(at) {
  return time(at, moment(at))
}
