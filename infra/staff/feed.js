/**
 * What happens to orders, as it happens: one connection for the whole page, which follows all orders.
 * @module
 */
import { ask, Problem, socket } from './api.js'
import { live } from './waybill-live.js'

/** @import { Live, Update } from './waybill-live.js' */

/** @typedef {(updates: Update[] | 'all') => void} Listener `all`: so much was missed that all is to be read anew. */

/** @type {Live | undefined} */
let connection
/** @type {Listener | undefined} */
let listener
/** @type {(state: 'live' | 'waiting' | 'off') => void} */
let onState = () => {}
/** @type {Update[] | 'all'} */
let news = []
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer

/** Milliseconds that news are collected for: a busy shop must not be read anew with every change. */
const COLLECTED = 400

/** @param {typeof onState} tell Is told how the connection is. */
export function connect(tell) {
  onState = tell
  disconnect()
  connection = live({
    url: socket,
    ticket,
    onUpdate: update => {
      if (news !== 'all') news.push(update)
      timer ??= setTimeout(deliver, COLLECTED)
    },
    onReload: () => {
      news = 'all'
      timer ??= setTimeout(deliver, COLLECTED)
    },
    onState: (state, reason) => {
      onState(state === 'open' ? 'live' : state === 'closed' ? 'off' : 'waiting')
      // Whatever is asked now is refused, and that ends the session here, too.
      if (reason === 'session_ended') ask('GET', '/v1/account').catch(() => {})
    },
    onProblem: () => onState('off'),
  })
  connection.follow('all')
}

export function disconnect() {
  connection?.close()
  connection = undefined
  clearTimeout(timer)
  timer = undefined
  news = []
}

/** Who is told from now on, instead of who was before. @param {Listener | undefined} next */
export function listen(next) {
  listener = next
}

function deliver() {
  timer = undefined
  const told = news
  news = []
  listener?.(told)
}

async function ticket() {
  try {
    return (await ask('POST', '/v1/websocket-tickets')).ticket
  } catch (error) {
    if (error instanceof Problem && error.status === 401) return null
    throw error
  }
}
