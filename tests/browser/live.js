// Follows orders with the live client in headless Chromium, through a proxy that breaks connections when told to.
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { connect, createServer as createTcpServer } from 'node:net'
import { execFileSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { strict as assert } from 'node:assert'
import { chromium } from 'playwright-core'

/** @import { Update } from '../../functions/connections/client/waybill-live.js' */
/** @import { AddressInfo, Socket } from 'node:net' */

const api = String(process.env.WAYBILL_API)
const sockets = Number(new URL(api).port) + 1
const origin = String(process.env.WAYBILL_ORIGIN ?? 'http://localhost:5173')

/** @param {string} who */
const token = who => {
  const [command, ...parts] = String(process.env.WAYBILL_TOKEN).split(' ')
  return execFileSync(command, [...parts, who], { encoding: 'utf8' }).trim()
}

/** @param {string} as @param {string} method @param {string} path @param {unknown} [body] @returns {Promise<any>} */
async function ask(as, method, path, body) {
  const headers = { authorization: `Bearer ${as}`, 'content-type': 'application/json', 'idempotency-key': crypto.randomUUID() }
  const answer = await fetch(`${api}${path}`, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) })
  const text = await answer.text()
  assert(answer.ok, `${method} ${path}: ${answer.status} ${text}`)
  return text === '' ? undefined : JSON.parse(text)
}

/** Between page and shop; breaks all connections, and lets none through meanwhile. */
const proxy = {
  /** @type {Set<Socket>} */
  open: new Set(),
  isDown: false,
  server: createTcpServer(client => {
    if (proxy.isDown) return client.destroy()
    const shop = connect(sockets, '127.0.0.1')
    for (const [from, to] of [[client, shop], [shop, client]]) {
      proxy.open.add(from)
      from.on('data', data => to.write(data))
      from.on('error', () => {})
      from.on('close', () => (proxy.open.delete(from), to.destroy()))
    }
  }),
  down() {
    proxy.isDown = true
    for (const socket of proxy.open) socket.destroy()
  },
  up() {
    proxy.isDown = false
  },
}

/** @param {import('node:net').Server | import('node:http').Server} server @returns {Promise<number>} */
const listen = server =>
  new Promise(resolve => server.listen(0, '127.0.0.1', () => resolve(/** @type {AddressInfo} */ (server.address()).port)))

// The page loses every message that it is told to, and gets others twice.
const page = `<!doctype html><title>Orders</title><script type="module">
  window.lose = 0
  window.double = false
  const Real = WebSocket
  window.WebSocket = class extends Real {
    addEventListener(kind, listener) {
      if (kind !== 'message') return super.addEventListener(kind, listener)
      super.addEventListener(kind, event => {
        const isUpdate = event.data.includes('"order_id"') && !event.data.includes('"ref"')
        if (isUpdate && window.lose > 0) return void window.lose--
        listener(event)
        if (isUpdate && window.double) listener(event)
      })
    }
  }
  window.updates = []
  window.states = []
  window.reloads = 0
  const { live } = await import('/waybill-live.js')
  window.begin = (url, positions) => {
    window.orders = live({
      url, positions, patience: 5000,
      ticket: () => window.getTicket(),
      onUpdate: update => window.updates.push(update),
      onState: (state, reason) => window.states.push([state, reason]),
      onReload: () => window.reloads++,
      onProblem: problem => (window.problem = problem),
    })
  }
  window.isReady = true
</script>`

const client = await readFile(new URL('../../functions/connections/client/waybill-live.js', import.meta.url), 'utf8')
const pages = createServer((request, answer) => {
  const isClient = request.url === '/waybill-live.js'
  answer.setHeader('content-type', isClient ? 'text/javascript' : 'text/html')
  answer.end(isClient ? client : page)
})
// Where `cargo run` expects the shop's front.
await new Promise(resolve => pages.listen(Number(new URL(origin).port), 'localhost', () => resolve(undefined)))
const url = `ws://127.0.0.1:${await listen(proxy.server)}/`

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu'],
})

/** A page that follows what somebody may see. @param {string} as @param {Record<string, number>} [positions] */
async function open(as, positions) {
  const tab = await browser.newPage()
  tab.on('pageerror', error => assert.fail(error))
  await tab.exposeFunction('getTicket', async () => {
    const headers = { authorization: `Bearer ${as}`, 'content-type': 'application/json' }
    const answer = await fetch(`${api}/v1/websocket-tickets`, { method: 'POST', headers, body: '{}' })
    if (answer.status === 401) return null
    return (await answer.json()).ticket
  })
  await tab.goto(`${origin}/`)
  await tab.waitForFunction('window.isReady')
  await tab.evaluate(([url, positions]) => globalThis.begin(url, positions), /** @type {const} */ ([url, positions]))
  return {
    tab,
    /** @returns {Promise<Update[]>} */
    updates: () => tab.evaluate('window.updates'),
    /** @param {string} state */
    is: state => tab.waitForFunction(state => globalThis.orders.state === state, state, { timeout: 30_000 }),
    /** Waits until this has been told. @param {string} order @param {string} type */
    hears: (order, type) =>
      tab.waitForFunction(
        ([order, type]) => globalThis.updates.some(update => update.order_id === order && update.type === type),
        /** @type {const} */ ([order, type]),
        { timeout: 30_000 },
      ),
  }
}

/** Of each order every version from its first on, one after the other. @param {Update[]} updates */
function inOrder(updates) {
  /** @type {Map<string, number>} */
  const versions = new Map()
  for (const { order_id, version, type } of updates) {
    assert.equal(version, (versions.get(order_id) ?? 0) + 1, `${type} of ${order_id}`)
    versions.set(order_id, version)
  }
  return versions
}

const customer = token('customer')
const administrator = token('administrator')
const products = await ask(customer, 'GET', '/v1/products?limit=1')
const { skus } = await ask(customer, 'GET', `/v1/products/${products.items[0].id}`)

async function place() {
  const cart = await ask(customer, 'PUT', `/v1/cart/lines/${skus[0].sku}`, { quantity: 1 })
  const shipping_address = { name: 'Ann', line1: '1 Main St', city: 'Springfield', postal_code: '62701', country: 'US' }
  return (await ask(customer, 'POST', '/v1/orders', { quote: cart.quote, shipping_address })).id
}
/** @param {string} order */
const startPayment = order => ask(customer, 'POST', `/v1/orders/${order}/payment-sessions`, {})
/** @param {string} order */
const cancel = order => ask(customer, 'POST', `/v1/orders/${order}/cancel`, { reason: 'Changed my mind' })

/** @param {string} what @param {() => Promise<void>} test */
async function check(what, test) {
  await test()
  console.log(`ok: ${what}`)
}

const buyer = await open(customer)
const staff = await open(administrator)
await Promise.all([buyer.is('open'), staff.is('open')])
await staff.tab.evaluate(() => globalThis.orders.follow('all'))
await staff.tab.waitForFunction(() => 'all/3' in globalThis.orders.positions)

await check('an order that is placed is shown to its buyer and to staff who follow all', async () => {
  const order = await place()
  await Promise.all([buyer.hears(order, 'order.placed'), staff.hears(order, 'order.placed')])
})

await check('what was missed while the connection was broken comes afterwards, in order and once', async () => {
  const before = await place()
  await buyer.hears(before, 'order.placed')
  proxy.down()
  await Promise.all([buyer.is('waiting'), staff.is('waiting')])
  await startPayment(before)
  const other = await place()
  await cancel(before)
  // The shop has told of it by then, to nobody.
  await sleep(2000)
  assert(!(await buyer.updates()).some(update => update.order_id === other))
  proxy.up()
  await Promise.all([buyer, staff].map(tab => tab.hears(before, 'order.cancelled')))
  await Promise.all([buyer, staff].map(tab => tab.hears(other, 'order.placed')))
  for (const tab of [buyer, staff]) {
    const versions = inOrder(await tab.updates())
    const { timeline } = await ask(customer, 'GET', `/v1/orders/${before}`)
    assert.equal(versions.get(before), timeline.length)
  }
})

await check('an update that got lost on the way is asked for when the next one comes', async () => {
  const order = await place()
  await Promise.all([buyer.hears(order, 'order.placed'), staff.hears(order, 'order.placed')])
  for (const { tab } of [buyer, staff]) await tab.evaluate('window.lose = 1')
  await startPayment(order)
  await Promise.all([buyer, staff].map(({ tab }) => tab.waitForFunction('window.lose === 0')))
  await cancel(order)
  await Promise.all([buyer, staff].map(tab => tab.hears(order, 'order.cancelled')))
  for (const tab of [buyer, staff]) inOrder(await tab.updates())
})

await check('an update that comes twice is handed over once', async () => {
  for (const { tab } of [buyer, staff]) await tab.evaluate('window.double = true')
  const order = await place()
  await cancel(order)
  await Promise.all([buyer, staff].map(tab => tab.hears(order, 'order.cancelled')))
  for (const tab of [buyer, staff]) inOrder(await tab.updates())
})

await check('a page goes on where the one before it ended', async () => {
  /** @type {Record<string, number>} */
  const positions = await buyer.tab.evaluate('window.orders.positions')
  await buyer.tab.close()
  const order = await place()
  await cancel(order)
  await staff.hears(order, 'order.cancelled')
  const next = await open(customer, positions)
  await next.hears(order, 'order.cancelled')
  const updates = await next.updates()
  assert.deepEqual(updates.map(update => update.type), ['order.placed', 'order.cancelled'])
  await next.tab.evaluate(() => globalThis.orders.follow('all'))
  await next.tab.waitForFunction(() => globalThis.problem?.problem === 'forbidden')
  assert.equal(await next.tab.evaluate('window.orders.state'), 'open')
  await ask(customer, 'DELETE', '/v1/sessions/current')
  proxy.down()
  await next.is('waiting')
  proxy.up()
  await next.is('closed')
  assert.deepEqual((await next.tab.evaluate('window.states')).at(-1), ['closed', 'logged_out'])
})

assert.equal(await staff.tab.evaluate('window.reloads'), 0)
await browser.close()
pages.close()
proxy.server.close()
proxy.down()
console.log('The live client has lost nothing and doubled nothing.')
process.exit(0)
