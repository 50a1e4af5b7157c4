// The staff page of a shop that captures payments when staff say so.
import { strict as assert } from 'node:assert'
import { administrator, ask, goods, pay, place, signUp } from './shop.js'
import { browser, button, complaints, dialog, go, inspect, logIn, open } from './staff-tab.js'

const ann = await signUp(`ann.${Date.now().toString(36)}@example.com`)
const [{ sku }] = await goods()
const tab = await open()
await logIn(tab, await administrator())
const { element, button: within } = dialog(tab)

/** @param {string} what @param {() => Promise<unknown>} test */
async function check(what, test) {
  await test()
  console.log(`ok: ${what}`)
}

/** An order whose amount the buyer's bank holds, as staff see it. */
async function held() {
  const order = await place(ann.token, { [sku]: 1 })
  await go(tab, `#/orders/${order.id}`, `Order ${order.number}`)
  assert.equal(await button(tab, 'Capture the payment').count(), 0)
  await pay(ann.token, order.id)
  await button(tab, 'Capture the payment').waitFor()
  return order
}

/** @param {{ id: string }} order */
const shown = ({ id }) => ask(ann.token, 'GET', `/v1/orders/${id}`)

await check('what the bank holds is captured after it was confirmed, and the order can be packed then', async () => {
  const order = await held()
  assert.equal(await button(tab, 'Begin to pack').count(), 0)
  assert.equal(await button(tab, 'Refund').count(), 0)
  await inspect(tab, 'an order to capture')
  await button(tab, 'Capture the payment').click()
  await element.getByText('Capturing takes all of it.').waitFor()
  await within(/^Take .* …$/).click()
  await element.getByText("from the buyer's bank now?").waitFor()
  assert.equal((await shown(order)).payment_status, 'authorised')
  // The reply to the first try is lost: the payment is captured once.
  await tab.route('**/capture', async route => (await route.fetch(), route.abort()), { times: 1 })
  await within(/^Take /).click()
  await element.getByText('Sending the same again is safe').waitFor()
  await within('Cancel').click()
  await button(tab, 'Begin to pack').waitFor()
  assert.equal(await button(tab, 'Capture the payment').count(), 0)
  const { payment_status, timeline } = await shown(order)
  const captured = timeline.filter((/** @type {any} */ { type }) => type === 'order.paid')
  assert.deepEqual([payment_status, captured.length], ['paid', 1])
})

await check('an order that is cancelled before it is captured costs the buyer nothing', async () => {
  const order = await held()
  await button(tab, 'Cancel the order').click()
  await element.getByLabel('Reason').fill('Out of stock')
  await within('Cancel the order …').click()
  assert.equal(await element.getByText('goes back to the buyer').count(), 0)
  await within('Cancel the order').click()
  await tab.getByText('Cancelled: Out of stock').waitFor()
  assert.equal(await button(tab, 'Capture the payment').count(), 0)
  assert.deepEqual((await shown(order)).refunds, [])
})

assert.deepEqual(complaints, [])
await browser.close()
console.log('The staff page captures what it says.')
process.exit(0)
