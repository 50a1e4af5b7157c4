// What staff do with orders, one of each kind, as far as the day that staff.js lives through has not done it.
import { strict as assert } from 'node:assert'
import { ask, goods, pay, place, signUp } from './shop.js'
import { button, dialog, go, heading } from './staff-tab.js'

/** @import { Page } from 'playwright-core' */

/**
 * @param {Page} tab
 * @param {string} administrator An access token.
 * @param {string} ann That of a customer.
 * @param {string} fresh
 * @param {(what: string, test: () => Promise<unknown>) => Promise<void>} check
 */
export async function actions(tab, administrator, ann, fresh, check) {
  const [{ sku: tea }, { sku: mug }] = await goods(2)
  const badge = (/** @type {string} */ text) => tab.locator('.head .badge', { hasText: text }).waitFor()
  const section = (/** @type {string} */ name) => tab.locator('section', { hasText: name })
  const { element, button: within } = dialog(tab)
  const sent = () => element.waitFor({ state: 'detached' })

  /** An order that is paid, as staff see it. @param {Record<string, number>} [lines] */
  async function paid(lines = { [tea]: 1, [mug]: 1 }) {
    const order = await place(ann, lines)
    await pay(ann, order.id)
    await go(tab, `#/orders/${order.id}`, `Order ${order.number}`)
    await button(tab, 'Begin to pack').waitFor()
    return order
  }

  async function pack() {
    await button(tab, 'Begin to pack').click()
    await within('Begin to pack').click()
    await badge('Processing')
  }

  let parcels = 0

  /** @param {string} [left] A SKU that stays here. */
  async function ship(left) {
    await button(tab, 'Ship').click()
    await element.getByLabel('Carrier').fill('UPS')
    await element.getByLabel('Tracking number').fill(`1Z${++parcels}`)
    if (left) await element.locator(`[data-sku="${left}"]`).fill('0')
    await within('Ship').click()
    await sent()
  }

  await check('an address is changed, within the country only', async () => {
    const { id } = await paid()
    await button(tab, 'Change the address').click()
    await element.getByLabel('Street and number').fill('2 Main St')
    await element.getByLabel('Country').fill('Germany')
    await within('Send it there').click()
    await element.locator('[name=country][aria-invalid=true]').waitFor()
    await element.getByLabel('Country').fill('US')
    await within('Send it there').click()
    await section('Buyer').getByText('2 Main St').waitFor()
    assert.equal((await ask(ann, 'GET', `/v1/orders/${id}`)).shipping_address.line1, '2 Main St')
  })

  await check('a parcel arrives, then the whole order, and a return of it is refused', async () => {
    await pack()
    await ship(mug)
    await badge('Partially shipped')
    await button(tab, 'It has arrived').click()
    await within('It has arrived').click()
    await section('Parcels').getByText(', arrived').waitFor()
    await ship()
    await badge('Shipped')
    await button(tab, 'All has arrived').click()
    await within('All has arrived').click()
    await badge('Delivered')
    const id = String(new URL(tab.url()).hash.split('/').at(-1))
    await ask(ann, 'POST', `/v1/orders/${id}/returns`, { lines: [{ sku: tea, quantity: 1 }], reason: 'Too strong' })
    await button(tab, 'Refuse').click()
    await within('Refuse').click()
    await element.locator('[name=reason][aria-invalid=true]').waitFor()
    await element.getByLabel('Reason').fill('It was opened')
    await within('Refuse').click()
    await section('Returns').getByText('Refused: It was opened').waitFor()
    const { returns } = await ask(ann, 'GET', `/v1/orders/${id}`)
    assert.deepEqual([returns[0].status, returns[0].refusal], ['refused', 'It was opened'])
  })

  await check('a paid order is cancelled, and all goes back', async () => {
    const { id } = await paid()
    await button(tab, 'Cancel the order').click()
    await element.getByLabel('Reason').fill('Out of stock')
    await within('Cancel the order …').click()
    await element.getByText('goes back to the buyer. It cannot be undone.').waitFor()
    assert.equal((await ask(ann, 'GET', `/v1/orders/${id}`)).payment_status, 'paid')
    await within('Cancel the order').click()
    await tab.getByText('Cancelled: Out of stock').waitFor()
    await section('Refunds').getByText('Succeeded').waitFor()
    const { total, refunds } = await ask(ann, 'GET', `/v1/orders/${id}`)
    assert.deepEqual(refunds.map((/** @type {any} */ { amount }) => amount), [total])
  })

  await check('what was not shipped is cancelled, and what was paid for it goes back', async () => {
    const { id } = await paid()
    await pack()
    await ship(mug)
    await button(tab, 'Cancel the rest').click()
    await element.getByLabel('Reason').fill('The last one broke')
    await within('Cancel the rest …').click()
    await within('Cancel the rest').click()
    await section('Parcels').getByText('Not sent any more: The last one broke').waitFor()
    const { cancelled_rest, fulfilment_status } = await ask(ann, 'GET', `/v1/orders/${id}`)
    assert.deepEqual([cancelled_rest.lines, fulfilment_status], [[{ sku: mug, quantity: 1 }], 'shipped'])
  })

  await check('what comes back and what goes out for it lead to each other', async () => {
    const old = await paid({ [tea]: 1 })
    await pack()
    await ship()
    await ask(ann, 'POST', `/v1/orders/${old.id}/returns`, { lines: [{ sku: tea, quantity: 1 }], reason: 'A mug would have been better' })
    await button(tab, 'Approve').click()
    await within('Approve').click()
    await section('Returns').getByText('Approved').waitFor()
    const draft = await ask(administrator, 'POST', '/v1/admin/drafts', { exchange: { order_id: old.id, return_number: 1 } })
    const { cart } = await ask(administrator, 'PUT', `/v1/admin/drafts/${draft.id}/lines/${mug}`, { quantity: 1 })
    const { shipping_address } = await ask(ann, 'GET', `/v1/orders/${old.id}`)
    const next = await ask(administrator, 'POST', `/v1/admin/drafts/${draft.id}/orders`, { quote: cart.quote, shipping_address })
    await section('Returns').getByRole('link', { name: next.number }).click()
    await heading(tab, `Order ${next.number}`).waitFor()
    await tab.getByText('In exchange for what comes back of').getByRole('link', { name: old.number }).click()
    await heading(tab, `Order ${old.number}`).waitFor()
  })

  await check('a mail that came back is noted at the order', async () => {
    const { token } = await signUp(`bounce+${fresh}@simulator.amazonses.com`)
    const order = await place(token, { [tea]: 1 })
    await pay(token, order.id)
    await go(tab, `#/orders/${order.id}`, `Order ${order.number}`)
    for (let tries = 0; tries < 50 && (await tab.getByText('did not arrive').count()) === 0; tries++) {
      await tab.waitForTimeout(200)
      await tab.reload()
    }
    await section('Notes').getByText('did not arrive: smtp; 550 5.1.1 user unknown').waitFor()
    await section('Notes').getByText('Noted by itself').waitFor()
  })
}
