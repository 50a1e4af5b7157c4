// Works in a shop by its staff page, in headless Chromium, while customers order there.
import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { strict as assert } from 'node:assert'
import { administrator, api, ask, goods, pay, place, signUp } from './shop.js'
import { browser, button, complaints, dialog, go, heading, inspect, logIn, open } from './staff-tab.js'
import { actions } from './staff-actions.js'
import { byKeyboard } from './staff-keyboard.js'
import { support } from './staff-support.js'

const fresh = Date.now().toString(36)
const ann = await signUp(`ann.${fresh}@example.com`)
const [tea, mug] = await goods(2)
const boss = await administrator()

/** @param {string} what @param {() => Promise<unknown>} test */
async function check(what, test) {
  await test()
  console.log(`ok: ${what}`)
}

const tab = await open()
/** The administrator's access token, as the page got it. @type {string} */
let token = ''
tab.on('response', async answer => {
  if (answer.url().includes('/v1/sessions') && answer.ok() && answer.request().method() === 'POST') token = (await answer.json()).access_token
})
await tab.evaluate(() => void (/** @type {any} */ (globalThis).hacked = 0))

await check('what is wrong with a log-in is said beside the field, and a code is asked for after the password', async () => {
  await inspect(tab, 'the log-in')
  await tab.getByLabel('E-mail address').fill('nobody')
  await button(tab, 'Log in').click()
  await tab.locator('#main [aria-invalid=true]').first().waitFor()
  assert.match(String(await tab.getByLabel('E-mail address').getAttribute('aria-describedby')), /error/)
  await tab.getByLabel('E-mail address').fill(boss.email)
  await tab.getByLabel('Password').fill('not the password')
  await button(tab, 'Log in').click()
  await tab.getByRole('alert').getByText('The address or the password is wrong.').waitFor()
  assert.equal(await tab.getByLabel('Password').getAttribute('autocomplete'), 'current-password')
  await tab.getByLabel('Password').fill(boss.password)
  await button(tab, 'Log in').click()
  await tab.getByLabel('Code', { exact: true }).fill('000000')
  await button(tab, 'Log in').click()
  await tab.getByRole('alert').getByText('authenticator app').waitFor()
  await inspect(tab, 'the code')
  await tab.reload()
  await logIn(tab, boss)
  await tab.locator('#live', { hasText: 'Live' }).waitFor()
})

const name = '<img src=x onerror="hacked=1">'
const order = { id: '', number: '' }
await check('an order that a customer places appears by itself, and is told to those who do not see it', async () => {
  Object.assign(order, await place(ann.token, { [tea.sku]: 2, [mug.sku]: 1 }, name))
  await tab.locator('.row', { hasText: order.number }).waitFor()
  await tab.locator('#announcer', { hasText: `New order ${order.number}` }).waitFor()
  await inspect(tab, 'the orders')
})

await check('what a customer calls themselves stays text', async () => {
  await tab.locator('.row', { hasText: order.number }).click()
  await heading(tab, `Order ${order.number}`).waitFor()
  await tab.getByText(name).waitFor()
  assert.equal(await tab.evaluate(() => /** @type {any} */ (globalThis).hacked ?? 0), 0)
  assert.equal(await tab.locator('main img').count(), 0)
})

await check('a payment is shown as it comes in, and the order can be packed then', async () => {
  assert.equal(await button(tab, 'Begin to pack').count(), 0)
  await pay(ann.token, order.id)
  await button(tab, 'Begin to pack').click()
  await dialog(tab).button('Begin to pack').click()
  await tab.locator('.head .badge', { hasText: 'Processing' }).waitFor()
})

await check('a field that is wrong is marked, and part of an order is shipped', async () => {
  await button(tab, 'Ship').click()
  const { element, button: within } = dialog(tab)
  await element.getByLabel('Tracking number').fill('1Z999')
  await within('Ship').click()
  await element.locator('[name=carrier][aria-invalid=true]').waitFor()
  await element.getByText('Must be 1 to 60 characters long').waitFor()
  assert.equal(await element.locator(':focus').getAttribute('name'), 'carrier')
  assert.equal(await element.getByLabel('Tracking number').getAttribute('aria-invalid'), null)
  await inspect(tab, 'the dialog')
  await element.getByLabel('Carrier').fill('UPS')
  await element.locator(`[data-sku="${tea.sku}"]`).fill('1')
  await element.locator(`[data-sku="${mug.sku}"]`).fill('0')
  await within('Ship').click()
  await tab.locator('.head .badge', { hasText: 'Partially shipped' }).waitFor()
  const { shipments } = await ask(ann.token, 'GET', `/v1/orders/${order.id}`)
  assert.deepEqual(shipments[0].lines, [{ sku: tea.sku, quantity: 1 }])
})

await check('a line is paid back after it was confirmed, once', async () => {
  await button(tab, 'Refund').click()
  const { element, button: within } = dialog(tab)
  await within('Pay back …').click()
  await element.getByText('Must be one unit at least').waitFor()
  await element.locator(`[data-sku="${mug.sku}"]`).fill('1')
  await within('Pay back …').click()
  await element.getByText('It cannot be undone').waitFor()
  assert.equal((await ask(ann.token, 'GET', `/v1/orders/${order.id}`)).refunds.length, 0)
  // The reply to the first try is lost: what is sent again is the same attempt.
  await tab.route('**/refunds', async route => (await route.fetch(), route.abort()), { times: 1 })
  await within('Pay back').click()
  await element.getByText('Sending the same again is safe').waitFor()
  await within('Pay back …').click()
  await within('Pay back').click()
  await element.waitFor({ state: 'detached' })
  await tab.locator('section', { hasText: 'Refunds' }).getByText('Succeeded').waitFor()
  const { refunds } = await ask(ann.token, 'GET', `/v1/orders/${order.id}`)
  assert.deepEqual(refunds.map((/** @type {any} */ { lines }) => lines.map((/** @type {any} */ { sku, quantity }) => [sku, quantity])), [[[mug.sku, 1]]])
  await button(tab, 'Refund').click()
  await tab.getByLabel('Pay back').selectOption('amount')
  await tab.getByLabel('Amount in USD').fill('100000.00')
  await within('Pay back …').click()
  await within('Pay back').click()
  await element.getByRole('alert').getByText('is left to refund').waitFor()
  await within('Cancel').click()
})

await check('a return that the buyer asks for is approved and received', async () => {
  await ask(ann.token, 'POST', `/v1/orders/${order.id}/returns`, { lines: [{ sku: tea.sku, quantity: 1 }], reason: 'Broken' })
  await button(tab, 'Approve').click()
  await dialog(tab).button('Approve').click()
  await tab.locator('section', { hasText: 'Returns' }).getByText('Approved').waitFor()
  await button(tab, 'It is here').click()
  const { element, button: within } = dialog(tab)
  await element.locator('[data-kind=as_new]').fill('0')
  await element.locator('[data-kind=damaged]').fill('1')
  await within('It is here').click()
  await tab.getByText(`1 × ${tea.sku}, damaged`).waitFor()
  const { returns } = await ask(ann.token, 'GET', `/v1/orders/${order.id}`)
  assert.deepEqual(returns[0].received, [{ sku: tea.sku, quantity: 1, condition: 'damaged', restocked: false }])
})

await check('an invoice can be read', async () => {
  const [file] = await Promise.all([tab.waitForEvent('download'), tab.getByRole('button', { name: /^Invoice .* as PDF$/ }).click()])
  assert.equal((await readFile(await file.path())).subarray(0, 5).toString(), '%PDF-')
  await inspect(tab, 'the order')
})

await check('orders are found by number, by address and by SKU, and by status', async () => {
  await go(tab, '#/orders', 'Orders')
  await tab.getByLabel('Find by').selectOption('number')
  await tab.getByRole('searchbox').fill('00000-00000')
  await button(tab, 'Find').click()
  await tab.getByText('There is no order of this number.').waitFor()
  await tab.getByLabel('Find by').selectOption('email')
  await tab.getByRole('searchbox').fill(ann.email)
  await button(tab, 'Find').click()
  await tab.getByText(`Orders of ${ann.email}`).waitFor()
  await tab.locator('.row', { hasText: order.number }).waitFor()
  await tab.getByRole('link', { name: 'Show all' }).click()
  await tab.getByText('Orders of').waitFor({ state: 'detached' })
  await tab.getByLabel('Find by').selectOption('sku')
  await tab.getByRole('searchbox').fill('no sku')
  await button(tab, 'Find').click()
  await tab.locator('[type=search][aria-invalid=true]').waitFor()
  await tab.getByRole('searchbox').fill(tea.sku.toLowerCase())
  await button(tab, 'Find').click()
  await tab.getByText(`Orders with ${tea.sku}`).waitFor()
  await tab.getByRole('link', { name: /^Partially shipped/ }).click()
  await tab.locator('.row', { hasText: order.number }).waitFor()
  await tab.getByRole('link', { name: /^Delivered/ }).click()
  await tab.getByText('No order is like that.').waitFor()
  await tab.getByLabel('Find by').selectOption('number')
  await tab.getByRole('searchbox').fill(order.number.toLowerCase())
  await button(tab, 'Find').click()
  await heading(tab, `Order ${order.number}`).waitFor()
})

await check('a list of more than a page is gone through and back', async () => {
  await ask(token, 'POST', `/v1/admin/skus/${tea.sku}/stock-movements`, { kind: 'received', units: 100, reason: 'A delivery' })
  for (let more = 0; more < 25; more++) await place(ann.token, { [tea.sku]: 1 })
  await go(tab, '#/orders', 'Orders')
  await tab.getByRole('link', { name: 'Older' }).click()
  await tab.locator('.row', { hasText: order.number }).waitFor()
  await tab.getByRole('link', { name: 'Newer' }).click()
  await tab.locator('.row', { hasText: order.number }).waitFor({ state: 'detached' })
})

await check('stock is looked up and changed', async () => {
  await go(tab, '#/stock', 'Stock')
  await inspect(tab, 'the stock')
  await tab.getByLabel('SKU').fill('NO-SUCH-SKU')
  await button(tab, 'Look up').click()
  await tab.getByText('There is no SKU NO-SUCH-SKU.').waitFor()
  await tab.getByLabel('SKU').fill(mug.sku.toLowerCase())
  await button(tab, 'Look up').click()
  await heading(tab, `Stock of ${mug.sku}`).waitFor()
  const before = (await ask(token, 'GET', `/v1/admin/skus/${mug.sku}/stock`)).on_hand
  await button(tab, 'Change the stock').click()
  const { element, button: within } = dialog(tab)
  await element.getByLabel('Units').fill('7')
  await within('Write it down').click()
  await element.locator('[name=reason][aria-invalid=true]').waitFor()
  await element.getByLabel('Reason').fill('A delivery')
  await within('Write it down').click()
  await tab.locator('.ledger', { hasText: 'A delivery' }).waitFor()
  await tab.locator('.figures .value').first().getByText(String(before + 7), { exact: true }).waitFor()
  await button(tab, 'Change the stock').click()
  await element.getByLabel('What happened').selectOption('corrected')
  await element.getByLabel('Units').fill('-100000')
  await element.getByLabel('Reason').fill('Counted')
  await within('Write it down').click()
  await element.getByRole('alert').getByText('on hand').waitFor()
  await within('Cancel').click()
  await button(tab, 'How it is sold').click()
  await element.getByLabel('Tell staff when').fill(String(before + 100))
  await within('Keep it').click()
  await element.waitFor({ state: 'detached' })
  assert.equal((await ask(token, 'GET', `/v1/admin/skus/${mug.sku}/stock`)).low_stock_at, before + 100)
  await inspect(tab, 'the stock of a SKU')
})

await check('a report has its figures, its charts and the same as tables', async () => {
  await go(tab, '#/reports?period=today', 'Reports')
  const placed = tab.locator('.figures .card', { hasText: 'Orders' }).filter({ hasText: 'Placed' }).locator('.value')
  const { total } = await ask(token, 'GET', '/v1/admin/reports/sales?period=today')
  await placed.getByText(String(total.orders_placed), { exact: true }).waitFor()
  assert(total.orders_placed >= 26)
  await tab.getByRole('img', { name: 'Net revenue' }).locator('rect.value').waitFor()
  await tab.getByText('As a table').first().click()
  await tab.getByRole('region', { name: 'Net revenue, as a table' }).getByRole('row').nth(1).waitFor()
  for (const period of ['7_days', '90_days', 'year']) {
    await tab.evaluate(period => void (location.hash = `#/reports?period=${period}`), period)
    await tab.locator(`#chip-${period}[aria-current]`).waitFor()
  }
  // A chart is drawn once it has its size, a frame behind the rest of the page.
  await tab.getByRole('img', { name: 'Orders placed' }).locator('.hit').nth(11).waitFor({ state: 'attached' })
  assert.equal(await tab.getByRole('img', { name: 'Orders placed' }).locator('.hit').count() >= 12, true)
  await button(tab, 'Other days').click()
  await tab.getByLabel('From').fill('2026-02-01')
  await tab.getByLabel('to', { exact: true }).fill('2026-01-01')
  await button(tab, 'Show').click()
  await tab.locator('form [aria-invalid=true], form .errors p').first().waitFor()
  await tab.getByText(mug.sku).first().waitFor()
  await inspect(tab, 'the report')
})

await check('a page that is reloaded goes on, and a copy of the tab asks for a log-in of its own', async () => {
  await tab.reload()
  await heading(tab, 'Reports').waitFor()
  const copy = await tab.context().newPage()
  const kept = await tab.evaluate(() => ({ ...sessionStorage }))
  await copy.addInitScript(kept => Object.assign(sessionStorage, kept), kept)
  await copy.goto(tab.url())
  await copy.getByLabel('E-mail address').waitFor()
  await copy.close()
})

await actions(tab, token, ann.token, fresh, check)
await go(tab, '#/stock', 'Stock')
await byKeyboard(tab, order.number, check)
await support(token, ann.token, fresh, order, check)

await check('after a log-out nothing is left', async () => {
  await button(tab, 'Log out').click()
  await tab.getByText('You are logged out.').waitFor()
  assert.equal(await tab.evaluate(() => sessionStorage.length), 0)
  await tab.reload()
  await tab.getByLabel('E-mail address').waitFor()
})

await check('the files that are deployed work from another origin', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'staff-'))
  const sockets = api.replace('http', 'ws').replace(/\d+$/, port => String(Number(port) + 1))
  execFileSync(new URL('../../infra/tools/staff-files', import.meta.url).pathname, [folder, api, sockets])
  /** @type {Record<string, string>} */
  const kinds = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' }
  const pages = createServer(async (request, answer) => {
    const file = join(folder, request.url === '/' ? 'index.html' : String(request.url))
    answer.setHeader('content-type', kinds[extname(file)] ?? '')
    answer.end(await readFile(file).catch(() => ''))
  })
  // Where `cargo run` expects the shop's front.
  await new Promise(resolve => pages.listen(5173, 'localhost', () => resolve(undefined)))
  const elsewhere = await open({ at: 'http://localhost:5173/' })
  await logIn(elsewhere, boss)
  await elsewhere.locator('#live', { hasText: 'Live' }).waitFor()
  const next = await place(ann.token, { [tea.sku]: 1 })
  await elsewhere.locator('.row', { hasText: next.number }).waitFor()
  pages.close()
})

assert.deepEqual(complaints, [])
await browser.close()
console.log('The staff page does what it says.')
process.exit(0)
