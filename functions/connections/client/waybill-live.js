/**
 * Live updates of orders in a browser: one file, without dependencies, to be copied or imported as it is.
 *
 * It keeps a WebSocket open and hands over every change of an order in the order in which it was made, each once. When the
 * connection is lost it opens another, a moment later each time, and asks for what was missed; where numbers are missing
 * it asks again, and what comes twice it drops.
 *
 *     import { live } from './waybill-live.js'
 *
 *     const orders = live({
 *       url: 'wss://abcdefghij.execute-api.us-east-1.amazonaws.com/live',
 *       ticket: async () => {
 *         const answer = await fetch(`${api}/v1/websocket-tickets`, { method: 'POST', headers: { authorization } })
 *         if (answer.status === 401) return null // Nobody is logged in any more: stop.
 *         return (await answer.json()).ticket
 *       },
 *       onUpdate: update => show(update.order_id, update.payment_status, update.fulfilment_status),
 *       onReload: () => readAllOrdersAnew(),
 *     })
 *     orders.follow('all') // Staff: every order, or one by its id.
 *     orders.close()
 *
 * What `positions` holds may be kept, in localStorage say, and given to the next page: it goes on from there.
 * @module
 */

/**
 * A change of an order. More fields may come; pass over what you do not know.
 * @typedef {object} Update
 * @property {string} id The same for the same change, always.
 * @property {string} type What happened, such as `order.paid`.
 * @property {string} at When, in RFC 3339.
 * @property {string} order_id
 * @property {number} version The order's version since then; one higher with each change.
 * @property {string} payment_status
 * @property {string} fulfilment_status
 * @property {string} [carrier]
 * @property {string} [tracking_number]
 * @property {Record<string, number>} [positions] Its number in each feed that it came by.
 */

/**
 * @typedef {'connecting' | 'open' | 'waiting' | 'closed'} State `waiting` is between two tries, `closed` is for good.
 */

/**
 * Why something that was asked for is not done. The connection stays open.
 * @typedef {object} Problem
 * @property {string} feed What was asked about.
 * @property {string} problem `forbidden`, `unknown_order` or `too_many_followed`.
 * @property {string} detail In words.
 */

/**
 * @typedef {object} Options
 * @property {string} url The WebSocket's address, without a ticket.
 * @property {() => Promise<string | null>} ticket Gets a new ticket for each connection, or null where nobody is logged in;
 *   where it throws, it is asked again later.
 * @property {(update: Update) => void} onUpdate Each change, once and in order.
 * @property {() => void} [onReload] Some of what was missed is too long ago: read from the API what is shown.
 * @property {(state: State, reason?: string) => void} [onState]
 * @property {(problem: Problem) => void} [onProblem]
 * @property {Record<string, number>} [positions] Where an earlier page stood.
 * @property {number} [patience] Milliseconds to wait for an answer; 10,000 unless told.
 */

/**
 * @typedef {object} Live
 * @property {(feed: string) => void} follow For staff: `all`, or an order's id.
 * @property {(feed: string) => void} unfollow
 * @property {Record<string, number>} positions The last number of each feed that was handed over.
 * @property {State} state
 * @property {() => void} close For good.
 */

/** The longest wait between two tries, in milliseconds. */
const LONGEST_WAIT = 30_000
/** Of how many orders it is known what was handed over. */
const KNOWN_ORDERS = 1_000

/**
 * Opens a connection and keeps it open until it is closed or nobody is logged in any more.
 * @param {Options} options
 * @returns {Live}
 */
export function live({ url, ticket, onUpdate, onReload, onState, onProblem, positions: start, patience = 10_000 }) {
  /** @type {Map<string, number>} The last number that was handed over, by feed. */
  const positions = new Map(Object.entries(start ?? {}))
  /** @type {Map<string, number>} The highest number that was seen, handed over or not. */
  const highest = new Map()
  /** @type {Map<string, number>} The last version that was handed over, by order; the latest order last. */
  const versions = new Map()
  /** @type {Set<string>} */
  const wanted = new Set()
  /** @type {Set<string>} Feeds that are being asked about. */
  const asking = new Set()
  /** @type {Map<string, { resolve: (answer: any) => void, reject: (error: Error) => void }>} */
  const questions = new Map()
  /** @type {WebSocket | undefined} */
  let socket
  /** @type {State} */
  let state = 'connecting'
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let heart
  let tries = 0
  let asked = 0
  let isFollowing = false

  /** @param {State} next @param {string} [reason] */
  function become(next, reason) {
    state = next
    onState?.(next, reason)
  }

  async function connect() {
    clearTimeout(timer)
    become('connecting')
    let secret
    try {
      secret = await ticket()
    } catch {
      return again()
    }
    if (isClosed()) return
    if (secret === null) return close('logged_out')
    const opening = new WebSocket(`${url}?ticket=${encodeURIComponent(secret)}`)
    socket = opening
    opening.addEventListener('open', () => opening === socket && greet(opening))
    opening.addEventListener('message', event => opening === socket && hear(String(event.data)))
    opening.addEventListener('close', () => opening === socket && again())
  }

  /** Begins anew a moment later, at random, so that not all come back at once. */
  function again() {
    drop()
    if (isClosed()) return
    const longest = Math.min(LONGEST_WAIT, 500 * 2 ** tries++)
    become('waiting')
    timer = setTimeout(connect, longest * (0.5 + Math.random() / 2))
  }

  function drop() {
    clearInterval(heart)
    isFollowing = false
    asking.clear()
    const old = socket
    socket = undefined
    old?.close()
    for (const { reject } of questions.values()) reject(new Error('the connection was lost'))
    questions.clear()
  }

  function isClosed() {
    return state === 'closed'
  }

  /** @param {string} [reason] */
  function close(reason) {
    if (isClosed()) return
    clearTimeout(timer)
    become('closed', reason)
    drop()
  }

  /**
   * Asks something; fails where the connection is lost. One that does not answer is given up.
   * @param {Record<string, unknown>} question
   * @returns {Promise<any>}
   */
  function ask(question) {
    const of = socket
    const ref = String(++asked)
    return new Promise((resolve, reject) => {
      if (of === undefined || of.readyState !== WebSocket.OPEN) return reject(new Error('not connected'))
      const late = setTimeout(() => of === socket && again(), patience)
      const done = () => clearTimeout(late)
      questions.set(ref, {
        resolve: answer => (done(), resolve(answer)),
        reject: error => (done(), reject(error)),
      })
      of.send(JSON.stringify({ ...question, ref }))
    })
  }

  /** @param {WebSocket} opened */
  async function greet(opened) {
    try {
      const hello = await ask({ type: 'hello' })
      tries = 0
      clearInterval(heart)
      heart = setInterval(() => ask({ type: 'ping' }).catch(() => {}), hello.heartbeat_seconds * 1000)
      isFollowing = true
      become('open')
      stand(hello.positions)
      for (const feed of wanted) follow(feed)
    } catch {
      // Whatever closed it has begun anew; what was only refused has not.
      if (opened === socket) again()
    }
  }

  /**
   * Where the feeds stand: whoever was further back has missed something, and who was nowhere begins here.
   * @param {Record<string, number>} there
   */
  function stand(there) {
    for (const [feed, number] of Object.entries(there)) {
      if (!positions.has(feed)) positions.set(feed, number)
      see(feed, number)
      catchUp(feed)
    }
  }

  /** @param {string} feed @param {number} number */
  function see(feed, number) {
    highest.set(feed, Math.max(number, highest.get(feed) ?? 0))
  }

  /** @param {string} text */
  function hear(text) {
    const message = JSON.parse(text)
    const question = questions.get(message.ref)
    if (question !== undefined) {
      questions.delete(message.ref)
      if (message.type === 'problem') return question.reject(Object.assign(new Error(message.detail), message))
      return question.resolve(message)
    }
    if (message.type === 'goodbye') return leave(message.reason)
    if (typeof message.order_id === 'string') take(message)
  }

  /** @param {string} reason */
  function leave(reason) {
    if (reason === 'session_ended') return close(reason)
    if (reason === 'too_many_frames') tries = 10
    again()
  }

  /** An update as it comes. @param {Update} update */
  function take(update) {
    const feeds = Object.entries(update.positions ?? {})
    let isNext = feeds.length === 0
    let isAhead = false
    for (const [feed, number] of feeds) {
      see(feed, number)
      const last = positions.get(feed)
      if (last === undefined || number <= last) continue
      if (number === last + 1 && !asking.has(feed)) {
        positions.set(feed, number)
        isNext = true
      } else {
        isAhead = true
        catchUp(feed)
      }
    }
    // What is ahead of something that is missing comes after it, by the answer.
    if (isNext && !isAhead) handOver(update)
  }

  /** Hands over what has not been. @param {Update} update */
  function handOver(update) {
    const { order_id: order, version } = update
    if (version <= (versions.get(order) ?? 0)) return
    versions.delete(order)
    versions.set(order, version)
    for (const oldest of versions.keys()) {
      if (versions.size <= KNOWN_ORDERS) break
      versions.delete(oldest)
    }
    onUpdate(update)
  }

  /** Asks for what is missing in a feed, until nothing is. @param {string} feed */
  async function catchUp(feed) {
    if (asking.has(feed)) return
    const of = socket
    asking.add(feed)
    try {
      while (of === socket && (positions.get(feed) ?? 0) < (highest.get(feed) ?? 0)) {
        const answer = await ask({ type: 'resume', feed, after: positions.get(feed) ?? 0 })
        if (of !== socket) return
        const { updates, position, complete } = answer
        positions.set(feed, position)
        for (const update of updates) handOver(update)
        if (!complete) onReload?.()
        // There is nothing there that was said to be: what it was is too long ago.
        if (updates.length === 0) {
          positions.set(feed, highest.get(feed) ?? position)
          onReload?.()
        }
      }
    } catch (error) {
      if (of === socket) tell(feed, error)
    } finally {
      if (of === socket) asking.delete(feed)
    }
  }

  /** @param {string} feed */
  async function follow(feed) {
    const of = socket
    try {
      const { positions: there } = await ask({ type: 'follow', feed })
      if (of === socket && wanted.has(feed)) stand(there)
    } catch (error) {
      if (of === socket) tell(feed, error)
    }
  }

  /** @param {string} feed @param {any} error */
  function tell(feed, error) {
    if (typeof error.problem !== 'string') return
    if (error.problem === 'try_again') return again()
    wanted.delete(feed)
    onProblem?.({ feed, problem: error.problem, detail: error.message })
  }

  connect()
  return {
    follow(feed) {
      if (wanted.has(feed)) return
      wanted.add(feed)
      if (isFollowing) follow(feed)
    },
    unfollow(feed) {
      if (!wanted.delete(feed)) return
      for (const known of [...positions.keys()]) {
        if (known !== feed && !known.startsWith(`${feed}/`)) continue
        positions.delete(known)
        highest.delete(known)
      }
      if (isFollowing) ask({ type: 'unfollow', feed }).catch(() => {})
    },
    get positions() {
      return Object.fromEntries(positions)
    },
    get state() {
      return state
    },
    close: () => close('closed'),
  }
}
