/**
 * SKUs of which little is left.
 * @module
 */
import { ask, query } from './api.js'
import { h } from './dom.js'
import { whole } from './format.js'
import { pages, when } from './orders.js'

/** @import { LowStock, Page } from './types.d.ts' */

/** @param {string | undefined} cursor */
export async function lowStock(cursor) {
  /** @type {Page<LowStock>} */
  const page = await ask('GET', `/v1/admin/reports/low-stock${query({ cursor, limit: '10' })}`)
  const rows = page.items.map(one => h('tr', {},
    h('th', { scope: 'row' }, one.title, h('small', {}, h('a', { href: `#/stock/${encodeURIComponent(one.sku)}`, id: `low-${one.sku}` }, one.sku))),
    h('td', { class: one.left === 0 ? 'amount bad' : 'amount' }, one.left === 0 ? 'Sold out' : whole(one.left)),
    h('td', { class: 'amount faint' }, when(one.since))))
  const titles = [['Product', ''], ['Left', 'amount'], ['Since', 'amount']].map(([title, look]) => h('th', { scope: 'col', class: look }, title))
  return h('section', { class: 'card' }, h('h2', {}, 'Little is left'),
    rows.length === 0 ? h('p', { class: 'none' }, 'There is enough of everything that is watched.') : h('table', {}, h('thead', {}, h('tr', {}, titles)), h('tbody', {}, rows)),
    pages(page, next => `#/stock${query({ cursor: next })}`))
}
