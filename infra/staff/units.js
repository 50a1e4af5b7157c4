/**
 * How many of which line of an order: of a parcel, of a refund, of what came back.
 * @module
 */
import { refusal } from './form.js'
import { fresh, h } from './dom.js'
import { whole } from './format.js'

/** @import { Order, Units } from './types.d.ts' */

/**
 * An input for each SKU of which something is left.
 * @param {Order} order
 * @param {Units[]} of
 * @param {Units[]} gone What is not left any more.
 * @param {'all' | 'none'} unless How many there are until somebody says otherwise.
 * @param {string} [kind] Tells inputs of the same SKU apart.
 */
export function unitsOf(order, of, gone, unless, kind = '') {
  const rows = of.flatMap(({ sku, quantity }) => {
    const rest = gone.filter(one => one.sku === sku).reduce((sum, one) => sum - one.quantity, quantity)
    if (rest <= 0) return []
    const id = fresh('quantity')
    const title = order.lines.find(line => line.sku === sku)?.title ?? sku
    const attributes = { id, type: 'number', min: 0, max: rest, step: 1, inputmode: 'numeric', 'data-sku': sku, 'data-kind': kind }
    return [h('div', { class: 'quantity' },
      h('label', { for: id }, title, h('small', {}, sku)),
      h('input', { ...attributes, value: unless === 'all' ? rest : 0 }),
      h('span', { class: 'faint' }, `of ${whole(rest)}`),
    )]
  })
  return h('div', { class: 'quantities' }, rows)
}

/**
 * What was filled in, without what there is none of.
 * @param {HTMLElement} units
 * @param {string} pointer What a problem calls it.
 * @returns {Units[]}
 */
export function readUnits(units, pointer) {
  const lines = typed(units, pointer)
  if (lines.length === 0) throw refusal(pointer, 'Must be one unit at least')
  return lines.map(({ sku, quantity }) => ({ sku, quantity }))
}

/** @param {HTMLElement} units @param {string} pointer */
export function typed(units, pointer) {
  return [...units.querySelectorAll('input[type=number]')].flatMap(input => {
    const { value, dataset } = /** @type {HTMLInputElement} */ (input)
    if (value !== '' && !/^\d{1,6}$/.test(value)) throw refusal(pointer, 'Must be whole numbers')
    return Number(value) > 0 ? [{ sku: String(dataset.sku), quantity: Number(value), kind: String(dataset.kind) }] : []
  })
}
