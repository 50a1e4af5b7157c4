/**
 * What is on hand of a SKU, its ledger, and what is written into it.
 * @module
 */
import { ask, mayManage, query } from './api.js'
import { h, swap } from './dom.js'
import { dialog, errorBox, field, refusal, show } from './form.js'
import { whole, words } from './format.js'
import { lowStock } from './low-stock.js'
import { pages, when } from './orders.js'

/** @import { Location, Movement, Page, Stock } from './types.d.ts' */
/** @import { Place } from './app.js' */

/** @param {HTMLElement} main @param {Place} place @returns {Promise<undefined>} */
export async function showStock(main, { path, parameters }) {
  const cursor = parameters.get('cursor') ?? undefined
  const sku = path[1]
  const content = h('div', {})
  const load = async () => swap(content, sku ? await one(sku, cursor, load) : mayManage() && (await lowStock(cursor)))
  await load()
  swap(main, h('h1', { tabindex: -1 }, sku ? `Stock of ${sku}` : 'Stock'), finder(sku), content)
}

/** @param {string | undefined} sku */
function finder(sku) {
  const text = field({ label: 'SKU', name: 'sku', value: sku ?? '', attributes: { type: 'search', autocapitalize: 'characters', spellcheck: 'false' } })
  const box = errorBox()
  return h('form', { class: 'find', role: 'search', novalidate: true, submit }, h('div', { class: 'side' }, text.element, h('button', { class: 'primary' }, 'Look up')), box)

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault()
    box.replaceChildren()
    const typed = text.input.value.trim().toUpperCase()
    try {
      if (typed === '') throw refusal('/sku', 'Must be a SKU')
      await ask('GET', `/v1/admin/skus/${encodeURIComponent(typed)}/stock`)
      location.hash = `#/stock/${encodeURIComponent(typed)}`
    } catch (error) {
      const is = error instanceof Error && 'status' in error && error.status === 404
      show(is ? refusal('/sku', `There is no SKU ${typed}.`) : error, [text], box)
    }
  }
}

/** @param {string} sku @param {string | undefined} cursor @param {() => Promise<void>} then */
async function one(sku, cursor, then) {
  const at = `/v1/admin/skus/${encodeURIComponent(sku)}`
  /** @type {[Stock, Page<Movement>, Page<Location>]} */
  const [stock, movements, locations] = await Promise.all([
    ask('GET', `${at}/stock`), ask('GET', `${at}/stock-movements${query({ cursor, limit: '25' })}`), ask('GET', '/v1/admin/locations'),
  ])
  const buttons = mayManage() && h('div', { class: 'actions', role: 'group', 'aria-label': 'What can be done' },
    h('button', { id: 'do-move', class: 'primary', click: () => move(stock, locations.items, then) }, 'Change the stock'),
    h('button', { id: 'do-sell', click: () => sell(stock, then) }, 'How it is sold'))
  return h('div', {}, h('p', { class: 'subject' }, stock.title), buttons, figures(stock, locations.items), ledger(sku, movements))
}

/** @param {Stock} stock @param {Location[]} locations */
function figures(stock, locations) {
  const { on_hand, reserved, available, low_stock_at, selling, buckets } = stock
  const places = stock.locations.length > 1 ? stock.locations.map(({ location_id, on_hand: there }) => `${locations.find(({ id }) => id === location_id)?.name ?? location_id}: ${whole(there)}`).join(', ') : 'On the shelf'
  const beyond = selling.up_to ? `, up to ${whole(selling.up_to)} beyond` : ''
  const ships = selling.ships_from ? `, ships from ${selling.ships_from}` : ''
  /** @type {[string, string, string][]} */
  const all = [
    ['On hand', whole(on_hand), places],
    ['Ordered', whole(reserved), 'And not paid yet'],
    ['Can be ordered', available === null ? 'Not counted' : whole(available), `Sold from ${selling.kind === 'untracked' ? 'anything' : words(selling.kind).toLowerCase()}${beyond}${ships}${buckets === null ? '' : `, spread over ${buckets} buckets`}`],
    ['Low at', low_stock_at === null ? '–' : whole(low_stock_at), low_stock_at === null ? 'Nobody is told' : 'Staff are told then'],
  ]
  return h('dl', { class: 'figures' }, all.map(([name, value, about]) => h('div', { class: 'card' }, h('dt', {}, name), h('dd', { class: 'value' }, value), h('dd', { class: 'faint' }, about))))
}

/** @param {string} sku @param {Page<Movement>} page */
function ledger(sku, page) {
  const rows = page.items.map(movement => h('li', {},
    h('span', { class: movement.units < 0 ? 'amount' : 'amount more' }, `${movement.units > 0 ? '+' : ''}${whole(movement.units)}`),
    h('span', {}, h('strong', {}, words(movement.kind)), ' ', movement.reason,
      movement.order_id && h('a', { href: `#/orders/${movement.order_id}`, id: `of-${movement.id}` }, 'the order')),
    h('span', { class: 'faint' }, when(movement.at), ` · ${movement.by}`)))
  return h('section', { class: 'card' }, h('h2', {}, 'Ledger'),
    rows.length === 0 ? h('p', { class: 'none' }, 'Nothing has moved yet.') : h('ul', { class: 'ledger' }, rows),
    pages(page, cursor => `#/stock/${encodeURIComponent(sku)}${query({ cursor })}`))
}

/** @param {Stock} stock @param {Location[]} locations @param {() => Promise<void>} then */
function move(stock, locations, then) {
  const kind = field({ label: 'What happened', name: 'kind', options: [['received', 'Goods came'], ['corrected', 'It was counted, or something is gone'], ['returned', 'Goods came back']] })
  const units = field({ label: 'Units', name: 'units', hint: 'With a minus for what is gone, which only a correction can be.', attributes: { inputmode: 'text', autocomplete: 'off' } })
  const reason = field({ label: 'Reason', name: 'reason' })
  const where = field({ label: 'Where', name: 'location_id', options: locations.map(({ id, name }) => [id, name]) })
  function read() {
    if (!/^[+-]?\d{1,10}$/.test(units.input.value.trim())) throw refusal('/units', 'Must be a whole number')
    const body = { kind: kind.input.value, units: Number(units.input.value), reason: reason.input.value }
    return locations.length > 1 ? { ...body, location_id: where.input.value } : body
  }
  dialog({
    title: `Change the stock of ${stock.sku}`,
    intro: [h('p', { class: 'faint' }, `${whole(stock.on_hand)} are on hand.`)],
    fields: locations.length > 1 ? [kind, units, reason, where] : [kind, units, reason],
    submit: 'Write it down',
    read,
    send: (body, key) => ask('POST', `/v1/admin/skus/${encodeURIComponent(stock.sku)}/stock-movements`, body, key),
    done: 'It is written into the ledger.',
    then,
  })
}

/** @param {Stock} stock @param {() => Promise<void>} then */
function sell(stock, then) {
  const { selling } = stock
  const kind = field({
    label: 'It is sold', name: 'kind', pointer: ['/selling', '/selling/kind'], value: selling.kind,
    options: [['stock', 'While it is on hand'], ['backorder', 'Also when it is not on hand'], ['preorder', 'Ahead of a day'], ['untracked', 'Without counting it']],
  })
  const upTo = field({ label: 'Up to so many units beyond what is on hand', name: 'up_to', pointer: '/selling/up_to', value: String(selling.up_to ?? ''), attributes: { inputmode: 'numeric' } })
  const from = field({ label: 'It is sent from', name: 'ships_from', pointer: '/selling/ships_from', value: selling.ships_from ?? '', attributes: { type: 'date' } })
  const spread = field({ label: 'Spread over so many buckets', name: 'buckets', value: String(stock.buckets ?? ''), hint: 'For a flash sale of more than ten orders a second: 16 to 256. Nothing for not at all.', attributes: { inputmode: 'numeric' } })
  const low = field({ label: 'Tell staff when no more than this is left', name: 'low_stock_at', value: String(stock.low_stock_at ?? ''), hint: 'Nothing for never.', attributes: { inputmode: 'numeric' } })
  const choose = () => {
    upTo.element.hidden = !['backorder', 'preorder'].includes(kind.input.value)
    from.element.hidden = kind.input.value !== 'preorder'
  }
  kind.input.addEventListener('change', choose)
  choose()
  /** @param {import('./form.js').Field & { input: HTMLInputElement }} of */
  const number = of => {
    const text = of.input.value.trim()
    if (text === '') return null
    if (!/^\d{1,10}$/.test(text)) throw refusal(of.pointers[0], 'Must be a whole number')
    return Number(text)
  }
  dialog({
    title: `How ${stock.sku} is sold`,
    fields: [kind, upTo, from, low, spread],
    submit: 'Keep it',
    read: () => ({
      selling: {
        kind: kind.input.value,
        ...(upTo.element.hidden ? {} : { up_to: number(upTo) }),
        ...(from.element.hidden ? {} : { ships_from: from.input.value || null }),
      },
      low_stock_at: number(low),
      buckets: number(spread),
    }),
    send: body => ask('PATCH', `/v1/admin/skus/${encodeURIComponent(stock.sku)}/stock`, body),
    done: 'It is sold that way now.',
    then,
  })
}
