/**
 * Goods that have come back: in what condition, and whether they can be sold again.
 * @module
 */
import { ask } from './api.js'
import { fresh, h } from './dom.js'
import { dialog, field, group, refusal } from './form.js'
import { typed, unitsOf } from './units.js'

/** @import { Location, Order, Page, Return } from './types.d.ts' */

const CONDITIONS = /** @type {const} */ ([['as_new', 'As new', true], ['opened', 'Opened', false], ['damaged', 'Damaged', false]])

/** @param {Order} order @param {() => void} then @param {Return} one */
export async function receive(order, then, one) {
  /** @type {Page<Location>} */
  const locations = await ask('GET', '/v1/admin/locations').catch(() => ({ items: [] }))
  const parts = CONDITIONS.map(([condition, label, isSold]) => {
    const id = fresh('restocked')
    // All is as new unless somebody says otherwise.
    const units = unitsOf(order, one.lines, [], isSold ? 'all' : 'none', condition)
    const restocked = h('input', { type: 'checkbox', id, checked: isSold, 'data-condition': condition })
    const content = h('div', {}, units, h('p', { class: 'choice' }, restocked, h('label', { for: id }, 'Can be sold again')))
    return { condition, units, restocked, field: group({ legend: label, pointer: `/${condition}` }, content) }
  })
  const all = group({ legend: 'What came', pointer: '/lines', hint: 'What is missing has not come.' }, h('div', {}, parts.map(part => part.field.element)))
  const choices = locations.items.map(({ id, name }) => /** @type {[string, string]} */ ([id, name]))
  const where = field({ label: 'Where it is put', name: 'location_id', options: choices })

  function read() {
    const lines = parts.flatMap(({ condition, units, restocked }) =>
      typed(units, '/lines').map(({ sku, quantity }) => ({ sku, quantity, condition, restocked: restocked.checked })))
    if (lines.length === 0) throw refusal('/lines', 'Must be one unit at least')
    return choices.length > 1 ? { lines, location_id: where.input.value } : { lines }
  }

  dialog({
    title: 'The return is here',
    intro: [h('p', {}, 'Nothing is paid back by this: refund what is due when you have seen the goods.')],
    fields: choices.length > 1 ? [all, where] : [all],
    submit: 'It is here',
    read,
    send: body => ask('POST', `/v1/admin/orders/${order.id}/returns/${one.number}/receive`, body),
    done: 'The return is received.',
    then,
  })
}
