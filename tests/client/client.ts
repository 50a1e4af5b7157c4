// Buys something with nothing but the client that infra/openapi.json makes: what does not fit the document does not
// compile, and what does not fit the shop throws.
import createClient from 'openapi-fetch'
import type { paths } from './schema.js'

const api = createClient<paths>({ baseUrl: process.env.WAYBILL_API })

function answered<T>({ data, error, response }: { data?: T; error?: unknown; response: Response }): T {
  if (data === undefined) throw new Error(`${response.status} ${response.url}: ${JSON.stringify(error)}`)
  return data
}

const attempt = `client-${process.pid}-${Date.now()}`
const headers = { authorization: `Bearer ${process.env.ACCESS_TOKEN}` }
const account = answered(await api.GET('/v1/account', { headers }))
if (account.role !== 'customer') throw new Error(JSON.stringify(account))

const products = answered(await api.GET('/v1/products', { params: { query: { limit: 1 } } }))
const product = answered(await api.GET('/v1/products/{id}', { params: { path: { id: products.items[0].id } } }))
const path = { sku: product.skus[0].sku }
const cart = answered(await api.PUT('/v1/cart/lines/{sku}', { params: { path }, body: { quantity: 2 }, headers }))
if (cart.quote === null || cart.total === null) throw new Error('the cart is empty')

const shipping_address = { name: 'Ann Example', line1: '1 Main St', city: 'Springfield', postal_code: '62701', country: 'US' }
const order = answered(await api.POST('/v1/orders', {
  params: { header: { 'Idempotency-Key': attempt } },
  body: { quote: cart.quote, shipping_address },
  headers,
}))
if (order.payment_status !== 'pending' || order.total.amount !== cart.total.amount) throw new Error(JSON.stringify(order))

const refused = await api.GET('/v1/admin/orders', { params: { query: { status: 'pending' } }, headers })
if (refused.error?.type !== 'urn:waybill:problem:forbidden') throw new Error(JSON.stringify(refused.error))
console.log(`A generated client ordered ${order.lines[0].quantity} ${order.lines[0].title}: ${order.id}`)
