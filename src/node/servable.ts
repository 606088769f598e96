// What can be served: the servers and applications that Node programs are made of, told apart by what they look like.
import type http from 'node:http';
import type { Server as TlsServer } from 'node:tls';
import { invalidArgType } from '../base/errors.js';

/** An application of Koa, or of what looks like it. */
export interface CallbackApp {
  callback(): http.RequestListener;
}

/** An instance of Fastify, or of what looks like it. */
export interface FastifyApp {
  readonly server: http.Server;
  ready(): PromiseLike<unknown>;
  close(): PromiseLike<unknown>;
}

/** An application of Hono, or anything else that answers web requests; it needs the package `@hono/node-server`. */
export interface FetchApp {
  fetch(request: Request, ...rest: never[]): Response | PromiseLike<Response>;
}

/** What {@link serve} serves. */
export type Servable = http.Server | TlsServer | http.RequestListener | CallbackApp | FastifyApp | FetchApp;

/** A server, and what is left to do when it has ended. @internal */
export interface Served {
  readonly server: http.Server;
  readonly end: () => PromiseLike<unknown> | null;
}

const nothingLeft = (): null => null;

function has<K extends string>(
  value: object,
  ...methods: K[]
): value is Record<K, (...args: never[]) => unknown> {
  return methods.every((name) => typeof (value as Record<string, unknown>)[name] === 'function');
}

/** @throws TypeError `ERR_INVALID_ARG_TYPE` - `app` is nothing that can be served. @internal */
export function validateServable(app: unknown): asserts app is Servable {
  if (typeof app === 'function') return;
  const isKnown =
    typeof app === 'object' &&
    app !== null &&
    (isServer(app) || isFastify(app) || has(app, 'callback') || has(app, 'fetch'));
  if (isKnown) return;
  throw invalidArgType('app', 'an http.Server, or an application of Express, Fastify, Koa or Hono', app);
}

function isServer(app: object): app is http.Server {
  return has(app, 'listen', 'close', 'getConnections');
}

function isFastify(app: object): app is FastifyApp {
  return has(app, 'ready', 'close') && 'server' in app;
}

/**
 * The server of an application.
 *
 * @throws Error `ERR_MISSING_PACKAGE` - it needs a package that is not there.
 * @internal
 */
export async function serverOf(app: Servable): Promise<Served> {
  if (typeof app === 'function') return serverOfListener(app);
  if (isServer(app)) return { server: app, end: nothingLeft };
  if (isFastify(app)) return serverOfFastify(app);
  if ('callback' in app) return serverOfListener(app.callback());
  return serverOfFetch(app as FetchApp);
}

async function serverOfListener(listener: http.RequestListener): Promise<Served> {
  // Programs without HTTP do not pay for loading it.
  const { createServer } = await import('node:http');
  return { server: createServer(listener), end: nothingLeft };
}

async function serverOfFastify(app: FastifyApp): Promise<Served> {
  await app.ready();
  return { server: app.server, end: () => app.close() };
}

interface FetchAdaptor {
  readonly getRequestListener: (fetch: FetchApp['fetch']) => http.RequestListener;
}

async function serverOfFetch(app: FetchApp): Promise<Served> {
  const { getRequestListener } = await loadAdaptor();
  return serverOfListener(getRequestListener(app.fetch.bind(app)));
}

async function loadAdaptor(): Promise<FetchAdaptor> {
  const name = '@hono/node-server';
  try {
    return (await import(name)) as FetchAdaptor;
  } catch (cause) {
    const message = `Serving an application that answers web requests needs the package ${name}: npm install ${name}`;
    throw Object.assign(new Error(message, { cause }), { code: 'ERR_MISSING_PACKAGE' });
  }
}
