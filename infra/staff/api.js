/**
 * The shop's public API: who is logged in, and requests in their name.
 *
 * The access token lives in memory only. The refresh token is kept in sessionStorage: a page that is reloaded stays logged in,
 * another window or whoever opens the browser tomorrow is not. A token is good once, so two windows must not share one;
 * browsers copy sessionStorage when somebody duplicates a tab, and the lock below tells which of the two is the copy.
 * @module
 */
import { fresh } from './dom.js'

/** @import { Account, FieldError, Tokens } from './types.d.ts' */

/** @param {string} name */
const setting = name => document.querySelector(`meta[name="${name}"]`)?.getAttribute('content')?.replace(/\/$/, '') ?? ''

/** The API's address, and that of its WebSocket. */
export const api = setting('waybill-api')
export const socket = setting('waybill-live')

const KEPT = 'waybill-session'
const DEVICE = 'waybill-device'

/** What went wrong, as RFC 9457 has it; `kind` is the last part of its type. */
export class Problem extends Error {
  /** @param {number} status @param {{ type?: string, detail?: string, errors?: FieldError[], request_id?: string }} [said] */
  constructor(status, said = {}) {
    super(said.detail ?? 'The shop did not answer as it should.')
    this.status = status
    this.kind = said.type?.replace('urn:waybill:problem:', '') ?? ''
    this.errors = said.errors ?? []
    this.requestId = said.request_id
  }

  /** Whether it may have been done all the same. */
  get isUncertain() {
    return this.status === 0 || this.status >= 500
  }
}

/** @type {{ token: string, until: number, refresh: string, account: Account } | undefined} */
let session
/** @type {Promise<void> | undefined} */
let refreshing
/** @type {(reason: string) => void} */
let whenOver = () => {}

/** Who is logged in. */
export function account() {
  return session?.account
}

/** Whether the role is one of those that change orders and stock and read reports; the API has the last word. */
export function mayManage() {
  return session?.account.role === 'manager' || session?.account.role === 'administrator'
}

/** @param {(reason: string) => void} tell Is told when the session has ended by itself. */
export function onOver(tell) {
  whenOver = tell
}

/** @param {Tokens} tokens */
export function begin(tokens) {
  session = {
    token: tokens.access_token,
    until: Date.now() + tokens.expires_in * 1000,
    refresh: tokens.refresh_token,
    account: tokens.account,
  }
  if (tokens.device_token) localStorage.setItem(DEVICE, tokens.device_token)
  const window = kept()?.window ?? crypto.randomUUID()
  sessionStorage.setItem(KEPT, JSON.stringify({ window, refresh: session.refresh, account: session.account }))
  hold(window)
}

/** @returns {{ window: string, refresh: string, account: Account } | undefined} */
function kept() {
  const text = sessionStorage.getItem(KEPT)
  return text === null ? undefined : JSON.parse(text)
}

/** @type {string | undefined} */
let held

/** Keeps the session for this window. False where another window has it. @param {string} window @returns {Promise<boolean>} */
function hold(window) {
  if (held === window) return Promise.resolve(true)
  held = window
  return new Promise(resolve => {
    // The page before a reload may take a moment to let go.
    const patience = { signal: AbortSignal.timeout(1_500) }
    const forGood = () => (resolve(true), new Promise(() => {}))
    navigator.locks.request(`waybill-${window}`, patience, forGood).catch(() => ((held = undefined), resolve(false)))
  })
}

/** Goes on with the session of before a reload. False where there is none. */
export async function resume() {
  const before = kept()
  if (before === undefined) return false
  if (!(await hold(before.window))) {
    sessionStorage.removeItem(KEPT)
    return false
  }
  session = { token: '', until: 0, refresh: before.refresh, account: before.account }
  await refresh()
  return session !== undefined
}

/**
 * @param {{ email: string, password: string, code?: string, recovery_code?: string }} who
 * @returns {Promise<Account>}
 */
export async function logIn(who) {
  const device_token = localStorage.getItem(DEVICE) ?? undefined
  /** @type {Tokens} */
  const tokens = await (await send('POST', '/v1/sessions', { ...who, device_token })).json()
  begin(tokens)
  return tokens.account
}

export async function logOut() {
  await ask('DELETE', '/v1/sessions/current').catch(() => {})
  forget()
}

function forget() {
  session = undefined
  sessionStorage.removeItem(KEPT)
}

/** One at a time: a token that is sent twice ends the session. */
function refresh() {
  refreshing ??= exchange().finally(() => (refreshing = undefined))
  return refreshing
}

async function exchange() {
  // A reply that is lost on the way is asked for once more with the same key, which the API allows for a minute.
  const key = crypto.randomUUID()
  const body = { refresh_token: session?.refresh }
  const once = () => send('POST', '/v1/sessions/refresh', body, { 'idempotency-key': key })
  try {
    const answer = await once().catch(error => (error.isUncertain ? once() : Promise.reject(error)))
    begin(await answer.json())
  } catch (error) {
    if (!(error instanceof Problem) || error.status !== 401) throw error
    forget()
    whenOver('Your session has ended. Please log in again.')
  }
}

/**
 * A request in the name of whoever is logged in, and its JSON.
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 * @param {string} [key] The Idempotency-Key of where money or stock moves.
 * @returns {Promise<any>}
 */
export async function ask(method, path, body, key) {
  const answer = await authorised(method, path, body, key)
  return answer.status === 204 ? undefined : answer.json()
}

/** A file, such as an invoice. @param {string} path */
export async function file(path) {
  return (await authorised('GET', path)).blob()
}

/** @param {string} method @param {string} path @param {unknown} [body] @param {string} [key] @returns {Promise<Response>} */
async function authorised(method, path, body, key) {
  if (session && session.until < Date.now() + 30_000) await refresh()
  /** @type {Record<string, string>} */
  const headers = key === undefined ? {} : { 'idempotency-key': key }
  const once = () => send(method, path, body, { ...headers, authorization: `Bearer ${session?.token}` })
  try {
    return await once()
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    if (error.status === 401 && session) {
      await refresh()
      if (session) return once()
    }
    if (error.kind === 'second-factor-missing' && session?.account.second_factor) {
      forget()
      whenOver('Staff give a code every twelve hours. Please log in with one.')
    }
    throw error
  }
}

/** @param {string} method @param {string} path @param {unknown} [body] @param {Record<string, string>} [headers] */
async function send(method, path, body, headers = {}) {
  const request = { method, headers, body: body === undefined ? undefined : JSON.stringify(body) }
  if (body !== undefined) headers['content-type'] = 'application/json'
  const answer = await fetch(`${api}${path}`, { ...request, cache: 'no-store', credentials: 'omit' }).catch(() => undefined)
  if (answer === undefined) throw new Problem(0, { detail: 'The shop cannot be reached. Look at your connection, and try again.' })
  if (answer.ok) return answer
  // The gateway's own answers carry a message instead of a problem.
  const said = await answer.json().catch(() => ({}))
  throw new Problem(answer.status, said.detail ? said : { detail: TOLD[answer.status] })
}

/** @type {Record<number, string>} */
const TOLD = { 429: 'Too much was asked at once. Please try again in a moment.', 404: 'There is no such thing.' }

/** A query of what is set. @param {Record<string, string | undefined | null>} parameters */
export function query(parameters) {
  const set = Object.entries(parameters).filter(([, value]) => value)
  return set.length === 0 ? '' : `?${new URLSearchParams(/** @type {[string, string][]} */ (set))}`
}

/** A key for a form that somebody has opened. */
export function newKey() {
  return `${fresh('staff')}-${crypto.randomUUID()}`
}
