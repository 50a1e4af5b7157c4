// What the page reads of the API's answers, as infra/openapi.json has it.

export interface Money { amount: number, currency: string }
export interface Page<T> { items: T[], next: string | null, previous: string | null }
export interface Account { id: string, email: string, role: 'customer' | 'support' | 'manager' | 'administrator', second_factor: boolean }
export interface Tokens { access_token: string, refresh_token: string, expires_in: number, account: Account, device_token?: string }
export interface FieldError { pointer?: string, parameter?: string, header?: string, detail: string }

export interface OrderSummary {
  id: string, number: string, email?: string, placed_at: string, units: number, total: Money
  payment_status: string, fulfilment_status: string
}
export interface Units { sku: string, quantity: number }
export interface OrderLine extends Units { title: string, unit_price: Money, total: Money }
export interface Address { name: string, line1: string, line2?: string, city: string, region?: string, postal_code: string, country: string }
export interface Shipment { number: number, carrier: string, tracking_number: string, lines: Units[], shipped_at: string, delivered_at?: string }
export interface Refund { number: number, amount: Money, cause: string, status: string, reason?: string, requested_at: string, lines?: (Units & { amount: Money })[] }
export interface Return {
  number: number, status: string, reason: string, refusal?: string, requested_at: string, lines: Units[]
  received?: (Units & { condition: string, restocked: boolean })[], exchange_order?: { id: string, number: string }
}
export interface Totals {
  subtotal: Money, total: Money
  lines: { sku: string, discount: Money, total: Money, tax?: Money }[]
  discounts: { amount: Money, applied: { code?: string, title: string, amount: Money }[] }
  shipping: { status: string, charge?: Money, price?: Money, title?: string }
  tax: { status: string, amount?: Money, prices?: 'include_tax' | 'exclude_tax' }
}
export interface Order extends OrderSummary {
  version: number, lines: OrderLine[], totals?: Totals, shipping_address?: Address, shipments: Shipment[], refunds: Refund[]
  returns: Return[], disputes: { amount: Money, status: string, reason: string, opened_at: string }[]
  timeline: { at: string, type: string, by: string }[], cancellation_reason?: string
  cancelled_rest?: { lines: Units[], reason: string, cancelled_at: string }
  exchange_for?: { order_id: string, number: string, return_number: number }
}
export interface Note { id: string, at: string, by?: string, text: string }
export interface ShopDocument { number: string, kind: string, issued_at: string, total: Money }
export interface OrderCounts { status: Record<string, number> }

export interface Figures {
  orders_placed: number, orders_paid: number, average_order: Money | null, new_customers: number, carts: number
  conversion_basis_points: number | null, gross: Money, discounts: Money, shipping: Money, tax: Money, paid: Money, refunds: Money, net: Money
}
export interface SalesReport { currency: string, time_zone: string, from: string, to: string, total: Figures, parts: (Figures & { from: string, to: string })[] }
export interface TopReport { items: { product_id?: string, sku?: string, category_id?: string, title?: string, units: number, net: Money }[] }
export interface LowStock { sku: string, title: string, left: number, low_stock_at: number, since: string }
export interface Stock {
  sku: string, title: string, on_hand: number, reserved: number, available: number | null, low_stock_at: number | null, buckets: number | null
  selling: { kind: string, up_to?: number, ships_from?: string }, locations: { location_id: string, on_hand: number }[]
}
export interface Movement { id: string, at: string, by: string, kind: string, units: number, reason?: string, order_id?: string }
export interface Location { id: string, name: string }
