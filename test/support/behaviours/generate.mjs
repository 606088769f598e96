// Makes up how a client behaves: which bytes it sends, in which pieces, and how it ends.

/**
 * @typedef {{ do: 'send', text: string }
 *   | { do: 'dribble', text: string }
 *   | { do: 'wait', for: RegExp, times?: number }
 *   | { do: 'receive', text: string }
 *   | { do: 'pause' }
 *   | { do: 'yield' }
 *   | { do: 'end' | 'reset' | 'destroy' | 'stay' }} Step
 */
/** @typedef {{ number: number, server: 'http' | 'net' | 'open', steps: Step[] }} Behaviour */

/**
 * A generator of numbers below `limit`, always the same for a seed.
 *
 * @param {number} seed
 */
function randomOf(seed) {
  let state = (Math.imul(seed + 1, 2_654_435_761) ^ 0x9e3779b9) >>> 0;
  return (/** @type {number} */ limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

/** @typedef {ReturnType<typeof randomOf>} Random */

/**
 * @template T
 * @param {Random} random
 * @param {readonly T[]} list
 * @returns {T}
 */
function pick(random, list) {
  return /** @type {T} */ (list[random(list.length)]);
}

const HOST = 'Host: a\r\n';
const body = (/** @type {number} */ size) => 'z'.repeat(size);
const chunked = (/** @type {readonly number[]} */ sizes) =>
  sizes.map((size) => `${size.toString(16)}\r\n${body(size)}\r\n`).join('');

/** Requests that are whole. */
const REQUESTS = [
  `GET /hello HTTP/1.1\r\n${HOST}\r\n`,
  `HEAD /hello HTTP/1.1\r\n${HOST}\r\n`,
  `GET /late HTTP/1.1\r\n${HOST}\r\n`,
  `GET /large?n=100000 HTTP/1.1\r\n${HOST}\r\n`,
  `GET /stream?n=7 HTTP/1.1\r\n${HOST}\r\n`,
  `OPTIONS /hello HTTP/1.1\r\n${HOST}X-Long: ${body(9000)}\r\n\r\n`,
  `POST /echo HTTP/1.1\r\n${HOST}Content-Length: 10\r\n\r\n${body(10)}`,
  `PUT /echo HTTP/1.1\r\n${HOST}Content-Length: 70000\r\n\r\n${body(70_000)}`,
  `POST /echo HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n${chunked([5, 1, 300])}0\r\n\r\n`,
  `POST /pipe HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n${chunked([40_000, 3])}0\r\nT: 1\r\n\r\n`,
  `POST /ignore HTTP/1.1\r\n${HOST}Content-Length: 20\r\n\r\n${body(20)}`,
  `POST /echo HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Length: 4\r\n\r\nfour`,
];

// Node runs what process.nextTick() was given between two pieces of bodies that came at once, if its own code reads
// them; there is no such moment when the code of a handle does. Hence no bodies here.
const PIPELINED = REQUESTS.filter(
  // Nor what a timer answers: it comes between any two events.
  (text) => text.length < 1000 && text.endsWith('\r\n\r\n') && !/Encoding|late/.test(text),
);

/** Requests after which a connection is not used again. */
const LAST_REQUESTS = [
  `GET /hello HTTP/1.0\r\n${HOST}Connection: keep-alive\r\n\r\n`,
  `GET /hello HTTP/1.0\r\n${HOST}\r\n`,
  `GET /hello HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`,
  `GET /destroy HTTP/1.1\r\n${HOST}\r\n`,
  `GET /upgrade HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: echo\r\n\r\nfirst words`,
  `CONNECT there:1 HTTP/1.1\r\n${HOST}\r\n`,
  `POST /echo HTTP/1.1\r\n${HOST}Expect: a miracle\r\nContent-Length: 0\r\n\r\n`,
];

const BAD_REQUESTS = [
  'NONSENSE\r\n\r\n',
  `GET / HTTP/9.9\r\n${HOST}\r\n`,
  'GET / HTTP/1.1\r\n\r\n',
  `GET / HTTP/1.1\r\n${HOST}No colon\r\n\r\n`,
  `GET / HTTP/1.1\r\n${HOST}Na me: v\r\n\r\n`,
  `GET / HTTP/1.1\r\n${HOST}X: ${body(20_000)}\r\n\r\n`,
  `GET /${body(20_000)} HTTP/1.1\r\n${HOST}\r\n`,
  `POST /echo HTTP/1.1\r\n${HOST}Content-Length: ten\r\n\r\n`,
  `POST /echo HTTP/1.1\r\n${HOST}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`,
  `POST /echo HTTP/1.1\r\n${HOST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  `POST /echo HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\nxyz\r\n`,
  `POST /echo HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n5\r\nabcdefgh\r\n`,
  `GET / HTTP/1.1\r\n${HOST}X: a\0b\r\n\r\n`,
  '\r\n\r\n\r\n',
  '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
];

/** Requests that stop before their end. @type {readonly [string, RegExp][]} */
const UNFINISHED = [
  ['GET', /^connection/],
  [`GET /hello HTTP/1.1\r\n${HOST}X-Slow: `, /^connection/],
  [`POST /echo HTTP/1.1\r\n${HOST}Content-Length: 1000\r\n\r\n`, /^request/],
  [`POST /echo HTTP/1.1\r\n${HOST}Content-Length: 1000\r\n\r\n${body(500)}`, /^request/],
  [`POST /echo HTTP/1.1\r\n${HOST}Content-Length: 900000\r\n\r\n${body(300_000)}`, /^request/],
  [`POST /pipe HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n${chunked([100])}`, /^request/],
  [`POST /silent HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n5\r\nab`, /^request/],
  [`POST /ignore HTTP/1.1\r\n${HOST}Content-Length: 1000\r\n\r\n${body(10)}`, /response finish/],
  [`POST /echo HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Length: 4\r\n\r\n`, /^checkContinue/],
];

/**
 * @param {Random} random
 * @param {string} text
 * @returns {Step[]}
 */
function deliver(random, text) {
  // What is answered before its end is answered earlier or later.
  const way = /\/(?:ignore|pipe)/.test(text) ? 2 : random(4);
  if (way === 0 && text.length < 300) return [{ do: 'dribble', text }];
  if (way !== 1 || text.length < 2) return [{ do: 'send', text }];
  const at = 1 + random(text.length - 1);
  return [{ do: 'send', text: text.slice(0, at) }, { do: 'yield' }, { do: 'send', text: text.slice(at) }];
}

const END = /** @type {const} */ (['end', 'reset', 'destroy', 'stay']);

/** @param {Random} random @returns {Step[]} */
function httpSteps(random) {
  /** @type {Step[]} */
  const steps = [];
  const count = random(4);
  if (random(3) === 0) {
    // At once, without waiting for any answer. They come in one piece: the order of events depends on it.
    const requests = Array.from({ length: 1 + random(6) }, () => pick(random, PIPELINED));
    steps.push({ do: 'send', text: requests.join('') });
    steps.push({ do: 'wait', for: /response close/, times: requests.length });
  } else {
    for (let n = 1; n <= count; n++) {
      const text = pick(random, REQUESTS);
      steps.push(...deliver(random, text), { do: 'wait', for: /response close/, times: n });
    }
  }
  switch (random(5)) {
    case 0:
      return [...steps, { do: pick(random, END) }];
    case 1:
      return [
        ...steps,
        { do: 'send', text: pick(random, LAST_REQUESTS) },
        { do: pick(random, ['end', 'stay']) },
      ];
    case 2:
      return [
        ...steps,
        { do: 'send', text: pick(random, BAD_REQUESTS) },
        { do: pick(random, ['end', 'stay']) },
      ];
    case 3: {
      const [text, seen] = pick(random, UNFINISHED);
      return [...steps, ...deliver(random, text), { do: 'wait', for: seen }, { do: pick(random, END) }];
    }
    default:
      // It asks for much and takes nothing.
      return [
        { do: 'send', text: `GET /large?n=20000000 HTTP/1.1\r\n${HOST}\r\n` },
        { do: 'receive', text: 'HTTP' },
        { do: 'pause' },
        { do: pick(random, ['reset', 'destroy']) },
      ];
  }
}

/** @param {Random} random @returns {Step[]} */
function netSteps(random) {
  /** @type {Step[]} */
  const steps = [];
  for (let n = random(4); n > 0; n--) {
    const text = body(pick(random, [1, 2, 100, 5000, 200_000]));
    steps.push(...deliver(random, text), { do: 'receive', text });
  }
  switch (random(4)) {
    case 0:
      return [...steps, { do: pick(random, END) }];
    case 1:
      // The server ends, destroys or resets it.
      return [
        ...steps,
        { do: 'send', text: pick(random, ['!', '?', '#']) },
        { do: pick(random, ['end', 'stay']) },
      ];
    case 2:
      return [
        ...steps,
        { do: 'send', text: body(1000) },
        { do: 'receive', text: body(1000) },
        { do: pick(random, END) },
      ];
    default:
      return [...steps, { do: 'send', text: body(3000) }, { do: 'end' }];
  }
}

/**
 * @param {number} seed
 * @param {number} count
 * @returns {Behaviour[]}
 */
export function generateBehaviours(seed, count) {
  return Array.from({ length: count }, (_, number) => {
    const random = randomOf(seed * 1_000_003 + number);
    const server = pick(random, /** @type {const} */ (['http', 'http', 'http', 'net', 'open']));
    // A connection that ends before it was accepted is nobody's.
    const accepted = /** @type {const} */ ({ do: 'wait', for: /^connection/ });
    const steps = server === 'http' ? httpSteps(random) : netSteps(random);
    const end = /** @type {Step} */ (steps.pop());
    // Everything has arrived before the end, which could overtake it.
    return { number, server, steps: [accepted, ...steps, { do: 'yield' }, end] };
  });
}
