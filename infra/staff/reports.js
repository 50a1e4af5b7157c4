/**
 * What the shop earns, what with, and what runs out.
 * @module
 */
import { ask, query } from './api.js'
import { chart } from './chart.js'
import { h, swap } from './dom.js'
import { errorBox, field, refusal, show } from './form.js'
import { amount, calendar, shortAmount, whole, words } from './format.js'
import { lowStock } from './low-stock.js'

/** @import { Figures, SalesReport, TopReport } from './types.d.ts' */
/** @import { Place } from './app.js' */
/** @import { Listener } from './feed.js' */

/** @type {[string, string][]} */
const PERIODS = [['today', 'Today'], ['7_days', '7 days'], ['30_days', '30 days'], ['90_days', '90 days'], ['year', 'Year'], ['range', 'Other days']]

/** Milliseconds between two readings of a report while orders come in. */
const READ_EVERY = 5_000

/** @param {HTMLElement} main @param {Place} place @returns {Promise<Listener>} */
export async function showReports(main, { parameters }) {
  const filter = Object.fromEntries(parameters)
  const period = filter.from ? 'range' : (filter.period ?? '30_days')
  const days = filter.from ? { from: filter.from, to: filter.to } : { period }
  const by = intervalOf(period, filter)
  const best = { by: filter.by ?? 'product', sort: filter.sort ?? 'net' }
  const content = h('div', {})

  async function load() {
    /** @type {[SalesReport, TopReport, HTMLElement]} */
    const [sales, top, low] = await Promise.all([
      ask('GET', `/v1/admin/reports/sales${query({ ...days, by })}`),
      ask('GET', `/v1/admin/reports/top${query({ ...days, ...best, limit: '10' })}`),
      lowStock(undefined),
    ])
    swap(content, span(sales), figures(sales.total), h('div', { class: 'charts' }, charts(sales, by)),
      h('div', { class: 'halves even' }, topList(top, filter, best), low))
  }

  await load()
  swap(main, h('h1', { tabindex: -1 }, 'Reports'), chooser(period, filter), content)
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer
  return () => {
    // Counts follow within seconds; nobody wants the page to flicker meanwhile.
    timer ??= setTimeout(() => {
      timer = undefined
      if (main.isConnected) load().catch(() => {})
    }, READ_EVERY)
  }
}

/** In parts that are not too many to see. @param {string} period @param {Record<string, string>} filter */
function intervalOf(period, { from, to }) {
  if (period === 'year') return 'month'
  if (period !== 'range') return 'day'
  const length = (Date.parse(to || new Date().toISOString().slice(0, 10)) - Date.parse(from)) / 86_400_000
  return length <= 92 ? 'day' : length <= 740 ? 'week' : 'month'
}

/** @param {string} period @param {Record<string, string>} filter */
function chooser(period, filter) {
  const { by, sort } = filter
  const from = field({ label: 'From', name: 'from', pointer: 'from', value: filter.from ?? '', attributes: { type: 'date' } })
  const to = field({ label: 'to', name: 'to', pointer: 'to', value: filter.to ?? '', attributes: { type: 'date' } })
  const box = errorBox()
  const range = h('form', { class: 'find', hidden: period !== 'range', novalidate: true, submit }, h('div', { class: 'side' }, from.element, to.element, h('button', { class: 'primary' }, 'Show')), box)
  const chips = PERIODS.map(([name, label]) => h('li', {}, name === 'range'
    ? h('button', { id: 'chip-range', 'aria-pressed': period === 'range' ? 'true' : 'false', click: open }, label)
    : h('a', { id: `chip-${name}`, href: `#/reports${query({ period: name, by, sort })}`, 'aria-current': name === period && 'true' }, label)))
  return h('div', {}, h('nav', { class: 'chips', 'aria-label': 'Days' }, h('ul', {}, chips)), range)

  function open() {
    range.hidden = false
    from.focus()
  }

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault()
    box.replaceChildren()
    const days = { from: from.input.value, to: to.input.value }
    try {
      if (!days.from) throw refusal('from', 'Must be a day')
      // What is no range is said here, beside the field.
      await ask('GET', `/v1/admin/reports/sales${query({ ...days, by: intervalOf('range', days) })}`)
      location.hash = `#/reports${query({ ...days, by, sort })}`
    } catch (error) {
      show(error, [from, to], box)
    }
  }
}

/** @param {SalesReport} report */
function span({ from, to, time_zone }) {
  const long = /** @type {const} */ ({ dateStyle: 'medium' })
  const days = from === to ? calendar(from, long) : `${calendar(from, long)} to ${calendar(to, long)}`
  return h('p', { class: 'faint' }, `${days}, by the days of the shop (${time_zone}).`)
}

/** @param {Figures} total */
function figures(total) {
  const conversion = total.conversion_basis_points
  /** @type {[string, string, string][]} */
  const all = [
    ['Net', amount(total.net), 'What the shop keeps: without tax, after refunds'],
    ['Paid', amount(total.paid), `${whole(total.orders_paid)} orders, tax and shipping in it`],
    ['Refunds', amount(total.refunds), 'On the day on which the money went back'],
    ['Orders', whole(total.orders_placed), 'Placed'],
    ['Average order', total.average_order ? amount(total.average_order) : '–', 'Paid by orders'],
    ['Discounts', amount(total.discounts), 'Off goods and shipping'],
    ['New customers', whole(total.new_customers), 'Accounts that were made'],
    ['Conversion', conversion === null ? '–' : new Intl.NumberFormat(undefined, { style: 'percent', maximumFractionDigits: 1 }).format(conversion / 10_000), `Of ${whole(total.carts)} carts`],
  ]
  return h('dl', { class: 'figures' }, all.map(([name, value, about]) => h('div', { class: 'card' }, h('dt', {}, name), h('dd', { class: 'value' }, value), h('dd', { class: 'faint' }, about))))
}

/** @param {SalesReport} report @param {string} by */
function charts({ parts, currency, total }, by) {
  /** @param {{ from: string, to: string }} part */
  const label = ({ from }) => calendar(from, by === 'month' ? { month: 'short', year: '2-digit' } : { day: 'numeric', month: 'short' })
  /** @param {{ from: string, to: string }} part */
  const name = ({ from, to }) => (from === to ? calendar(from, { dateStyle: 'medium' }) : `${calendar(from, { dateStyle: 'medium' })} to ${calendar(to, { dateStyle: 'medium' })}`)
  const money = (/** @type {number} */ value) => shortAmount({ amount: value, currency })
  return [
    chart({
      title: 'Net revenue',
      summary: `${amount(total.net)} by ${by}`,
      axis: money,
      bars: parts.map(part => ({ label: label(part), name: name(part), value: part.net.amount, shown: amount(part.net) })),
    }),
    chart({
      title: 'Orders placed',
      summary: `${whole(total.orders_placed)} by ${by}`,
      axis: whole,
      isWhole: true,
      bars: parts.map(part => ({ label: label(part), name: name(part), value: part.orders_placed, shown: whole(part.orders_placed) })),
    }),
  ]
}

/** @param {TopReport} top @param {Record<string, string>} filter @param {{ by: string, sort: string }} best */
function topList({ items }, filter, { by, sort }) {
  /** @param {string} name @param {string} value @param {string} label @param {boolean} isCurrent */
  const link = (name, value, label, isCurrent) =>
    h('li', {}, h('a', { id: `top-${value}`, href: `#/reports${query({ ...filter, [name]: value })}`, 'aria-current': isCurrent && 'true' }, label))
  const kinds = ['product', 'sku', 'category'].map(kind => link('by', kind, kind === 'sku' ? 'SKUs' : kind === 'category' ? 'Categories' : 'Products', kind === by))
  const sorts = [link('sort', 'net', 'By net', sort === 'net'), link('sort', 'units', 'By units', sort === 'units')]
  const rows = items.map(item => h('tr', {},
    h('th', { scope: 'row' }, item.title ?? 'Deleted', item.sku && h('small', {}, h('a', { href: `#/stock/${encodeURIComponent(item.sku)}`, id: `sold-${item.sku}` }, item.sku))),
    h('td', { class: 'amount' }, whole(item.units)),
    h('td', { class: 'amount' }, amount(item.net))))
  const titles = [[words(by === 'sku' ? 'SKU' : by), ''], ['Units', 'amount'], ['Net', 'amount']].map(([title, look]) => h('th', { scope: 'col', class: look }, title))
  return h('section', { class: 'card' }, h('h2', {}, 'What sells best'),
    h('nav', { class: 'chips small', 'aria-label': 'What sells best, by' }, h('ul', {}, kinds, sorts)),
    rows.length === 0 ? h('p', { class: 'none' }, 'Nothing has sold in these days.') : h('table', {}, h('thead', {}, h('tr', {}, titles)), h('tbody', {}, rows)))
}
