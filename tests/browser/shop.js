// The shop that a test runs beside: its API as customers and staff use it, its mails and its stand-in for Stripe.
import { createHmac } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { strict as assert } from 'node:assert'

export const api = String(process.env.WAYBILL_API)
const port = Number(new URL(api).port)
const mails = `http://127.0.0.1:${port + 2}`

/** @param {string | undefined} as @param {string} method @param {string} path @param {unknown} [body] @returns {Promise<any>} */
export async function ask(as, method, path, body) {
  const headers = { 'content-type': 'application/json', 'idempotency-key': crypto.randomUUID(), ...(as && { authorization: `Bearer ${as}` }) }
  const answer = await fetch(`${api}${path}`, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) })
  const text = await answer.text()
  assert(answer.ok, `${method} ${path}: ${answer.status} ${text}`)
  return text === '' ? undefined : JSON.parse(text)
}

/** The administrator that the shop made when it was started. @returns {Promise<{ email: string, password: string, totp_secret: string }>} */
export async function administrator() {
  return JSON.parse(await readFile(`${process.env.WAYBILL_STORE}/administrator.json`, 'utf8'))
}

/** The last step of each secret that a code was asked for: a code is good once. @type {Map<string, number>} */
const steps = new Map()

/** A code of an authenticator app (RFC 6238) that was not used before. @param {string} secret @returns {Promise<string>} */
export async function code(secret) {
  const now = () => Math.floor(Date.now() / 30_000)
  // The shop takes the code of the next half minute, too; that of this one was used when it was started.
  const step = Math.max(now() + 1, (steps.get(secret) ?? 0) + 1)
  steps.set(secret, step)
  while (now() + 1 < step) await sleep(500)
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
  const bits = [...secret.replaceAll(/[\s=]/g, '')].map(letter => letters.indexOf(letter).toString(2).padStart(5, '0')).join('')
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map(byte => parseInt(byte, 2)))
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(step))
  const hash = createHmac('sha1', key).update(counter).digest()
  const from = hash[19] & 15
  return String((hash.readUInt32BE(from) & 0x7fff_ffff) % 1_000_000).padStart(6, '0')
}

/** Somebody who signs up. @param {string} email */
export async function signUp(email) {
  const password = 'correct horse'
  await ask(undefined, 'POST', '/v1/accounts', { email, password })
  for (let tries = 0; tries < 100; tries++) {
    const { items } = /** @type {any} */ (await (await fetch(`${mails}/api/mails?to=${encodeURIComponent(email)}`)).json())
    const token = /#token=(\S+)/.exec(items[0]?.text ?? '')?.[1]
    if (token) {
      const { access_token, account } = await ask(undefined, 'POST', '/v1/accounts/confirm', { token, password })
      return { email, password, token: String(access_token), id: String(account.id) }
    }
    await sleep(100)
  }
  throw new Error('no mail came')
}

/** SKUs that can be had. @returns {Promise<{ sku: string, title: string }[]>} */
export async function goods(count = 1) {
  const { items } = await ask(undefined, 'GET', `/v1/products?limit=${count}`)
  const products = await Promise.all(items.map((/** @type {{ id: string }} */ { id }) => ask(undefined, 'GET', `/v1/products/${id}`)))
  return products.map(({ skus }) => skus[0])
}

/**
 * Places an order.
 * @param {string} as
 * @param {Record<string, number>} lines
 * @param {string} [name]
 * @returns {Promise<{ id: string, number: string, lines: { title: string, sku: string }[] }>}
 */
export async function place(as, lines, name = 'Ann Example') {
  let cart
  for (const [sku, quantity] of Object.entries(lines)) cart = await ask(as, 'PUT', `/v1/cart/lines/${sku}`, { quantity })
  const shipping_address = { name, line1: '1 Main St', city: 'Springfield', region: 'IL', postal_code: '62701', country: 'US' }
  return ask(as, 'POST', '/v1/orders', { quote: cart.quote, shipping_address })
}

/** Pays an order on the page of the stand-in for Stripe. @param {string} as @param {string} order */
export async function pay(as, order) {
  const { url } = await ask(as, 'POST', `/v1/orders/${order}/payment-sessions`, {})
  const answer = await fetch(`${url}/pay`, { method: 'POST' })
  assert(answer.ok, `paying: ${answer.status}`)
}
