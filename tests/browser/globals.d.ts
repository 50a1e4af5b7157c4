// What the page of live.js has.
import type { Live, Problem, Update } from '../../functions/connections/client/waybill-live.js'

declare global {
  var orders: Live
  var updates: Update[]
  var problem: Problem | undefined
  var begin: (url: string, positions?: Record<string, number>) => void
}
