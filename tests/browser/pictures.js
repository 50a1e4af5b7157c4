// Pictures of the staff page for README.md: a shop in which some people have ordered.
import { administrator, ask, goods, pay, place, signUp } from './shop.js'
import { browser, go, logIn, open } from './staff-tab.js'

const folder = process.argv[2]
const boss = await administrator()
const tab = await open({ deviceScaleFactor: 1, viewport: { width: 1200, height: 800 } })
let token = ''
tab.on('response', async answer => {
  if (answer.url().includes('/v1/sessions') && answer.ok() && answer.request().method() === 'POST') token = (await answer.json()).access_token
})
// A shop that was opened a minute ago has one day; these thirty are made up.
await tab.route('**/v1/admin/reports/sales**', async route => {
  const answer = await route.fetch()
  const report = await answer.json().catch(() => ({}))
  if (report.parts?.length === 30) thirty(report)
  await route.fulfill({ response: answer, json: report })
})
await logIn(tab, boss)

const shelf = await goods(9)
const people = ['Maren Holt', 'Jonas Weber', 'Priya Nair', 'Tom Alvarez', 'Ines Duarte', 'Sam Okafor', 'Lena Fischer', 'Noah Kim', 'Ada Brandt']
const act = (/** @type {string} */ id, /** @type {string} */ what, /** @type {unknown} */ body) => ask(token, 'POST', `/v1/admin/orders/${id}/${what}`, body)
/** Until the payment has come in. @param {string} as @param {string} id */
async function paid(as, id) {
  await pay(as, id)
  while ((await ask(as, 'GET', `/v1/orders/${id}`)).payment_status === 'pending') await new Promise(resolve => setTimeout(resolve, 100))
}
let chosen
for (const [index, name] of people.entries()) {
  const customer = await signUp(`${name.toLowerCase().replace(' ', '.')}@example.com`)
  for (const more of [0, 4]) {
    const at = (/** @type {number} */ of) => shelf[(index + more + of) % shelf.length].sku
    const order = await place(customer.token, { [at(0)]: 1 + (index % 3), [at(2)]: 2, ...(index % 2 && { [at(5)]: 1 }) }, name)
    const kind = (index * 2 + (more ? 1 : 0)) % 8
    if (kind === 7) continue
    await paid(customer.token, order.id)
    if (kind > 0) await act(order.id, 'process', undefined)
    if (kind < 2 || kind === 6) continue
    if (kind === 5) {
      await act(order.id, 'ship', { carrier: 'UPS', tracking_number: `1Z999AA10${index}23456`, lines: [{ sku: at(2), quantity: 1 }] })
      await ask(token, 'POST', `/v1/admin/orders/${order.id}/refunds`, { lines: [{ sku: at(2), quantity: 1 }], reason: 'One was broken' })
      await ask(token, 'POST', `/v1/admin/orders/${order.id}/notes`, { text: 'Called: wants the rest by Friday. We told her it leaves tomorrow.' })
      chosen = order
      continue
    }
    await act(order.id, 'ship', { carrier: 'DHL', tracking_number: `00340434${index}${kind}` })
    if (kind === 3) await act(order.id, 'deliver', undefined)
  }
}
for (const [index, { sku }] of shelf.slice(0, 4).entries()) {
  const { available } = await ask(token, 'GET', `/v1/admin/skus/${sku}/stock`)
  await ask(token, 'PATCH', `/v1/admin/skus/${sku}/stock`, { low_stock_at: 5 })
  const units = 2 * index - available
  if (units < 0) await ask(token, 'POST', `/v1/admin/skus/${sku}/stock-movements`, { kind: 'corrected', units, reason: 'Counted' })
}
if (!chosen) throw new Error('no order was shipped in part')

/** @param {string} name */
async function picture(name) {
  await tab.evaluate(() => /** @type {HTMLElement} */ (document.activeElement)?.blur())
  await tab.waitForTimeout(600)
  await tab.screenshot({ path: `${folder}/${name}.png`, animations: 'disabled' })
}
const phone = { width: 390, height: 780 }
// What has changed a moment ago is marked for some seconds.
await tab.waitForTimeout(8_000)
await go(tab, '#/orders', 'Orders')
await picture('staff-orders')
await go(tab, '#/reports', 'Reports')
await picture('staff-reports')
await go(tab, `#/orders/${chosen.id}`, `Order ${chosen.number}`)
await picture('staff-order')
await tab.setViewportSize(phone)
await tab.emulateMedia({ colorScheme: 'dark' })
await picture('staff-order-phone-dark')
await go(tab, '#/orders', 'Orders')
await picture('staff-orders-phone-dark')
await tab.emulateMedia({ colorScheme: 'light' })
await go(tab, '#/reports', 'Reports')
await tab.evaluate(() => document.querySelector('.charts')?.scrollIntoView())
await picture('staff-reports-phone')
await tab.setViewportSize({ width: 1200, height: 800 })
await tab.emulateMedia({ colorScheme: 'dark' })
await tab.evaluate(() => scrollTo(0, 0))
await picture('staff-reports-dark')
await browser.close()

/** @param {any} report */
function thirty({ parts, total }) {
  let revenue = 0
  let orders = 0
  for (const [index, part] of parts.entries()) {
    const count = Math.round(14 + 5 * Math.sin(index / 2.2) + (index * 7) % 5 + index / 3)
    part.orders_placed = count
    part.net.amount = count * (6_100 + ((index * 37) % 11) * 190)
    revenue += part.net.amount
    orders += count
  }
  const goods = Math.round(revenue * 1.094)
  Object.assign(total, { orders_placed: orders, orders_paid: orders - 21, new_customers: Math.round(orders * 0.4), carts: Math.round(orders * 2.9), conversion_basis_points: 3_448 })
  total.net.amount = revenue
  total.paid.amount = goods
  total.refunds.amount = goods - revenue
  total.discounts.amount = Math.round(goods * 0.041)
  total.average_order = { ...total.net, amount: Math.round(goods / (orders - 21)) }
}
