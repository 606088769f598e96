// A page of Vite in headless Chromium: as it was built, and from the development server.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { chromium } from 'playwright-core';
import { build, createServer, preview } from 'vite';
import { HOST, tell, temporaryDirectory } from './support.mjs';

const root = temporaryDirectory();
mkdirSync(path.join(root, 'public'));
const files = {
  'index.html': `<!doctype html><title>evloop</title><link rel="icon" href="data:,"><h1>loading</h1><ul></ul>
    <script type="module" src="/main.js"></script>`,
  'main.js': `import './style.css'; import { names } from './names.js';
    document.querySelector('h1').textContent = 'rendered';
    for (const name of names) document.querySelector('ul').append(Object.assign(document.createElement('li'), { textContent: name }));
    const { list } = await (await fetch('/data.json')).json();
    const { lazy } = await import('./lazy.js');
    document.title = lazy(list);
    import.meta.hot?.on('evloop:news', ({ text }) => (document.title = text));`,
  'names.js': `export const names = ['echo', 'http', 'websocket'];`,
  'lazy.js': `export const lazy = (list) => 'sum ' + list.reduce((sum, n) => sum + n, 0);`,
  'style.css': 'h1 { color: rgb(1, 2, 3) }',
  'public/data.json': JSON.stringify({ list: Array.from({ length: 100_000 }, (_, n) => n) }),
};
for (const [name, text] of Object.entries(files)) writeFileSync(path.join(root, name), text);

/** @type {import('vite').InlineConfig} */
const config = {
  root,
  configFile: false,
  logLevel: 'error',
  cacheDir: path.join(root, '.cache'),
  clearScreen: false,
};
await build(config);

const browser = await chromium.launch({
  executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
  args: [
    ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
    ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
  ],
});

/**
 * @param {string} what
 * @param {import('node:http').Server | null} httpServer
 * @param {(page: import('playwright-core').Page) => Promise<void>} [further]
 */
async function visit(what, httpServer, further) {
  const { port } = /** @type {any} */ (httpServer).address();
  const page = await browser.newPage();
  page.on('pageerror', (error) => tell('error in the page', error.message));
  await page.goto(`http://${HOST}:${port}/`);
  await page.waitForFunction("document.title.startsWith('sum')");
  const seen = await page.evaluate(`({
    title: document.title,
    items: [...document.querySelectorAll('li')].map((item) => item.textContent),
    color: getComputedStyle(document.querySelector('h1')).color,
  })`);
  tell(what, seen);
  await further?.(page);
  await page.close();
}

try {
  const built = await preview({ ...config, preview: { port: 0, host: HOST } });
  await visit('preview', /** @type {import('node:http').Server} */ (built.httpServer));
  await built.close();

  const server = await createServer({ ...config, server: { port: 0, host: HOST, watch: null } });
  await server.listen();
  await visit('development', /** @type {import('node:http').Server} */ (server.httpServer), async (page) => {
    server.ws.send('evloop:news', { text: 'by WebSocket' });
    await page.waitForFunction("document.title === 'by WebSocket'");
    tell('told by the server', await page.title());
  });
  await server.close();
} finally {
  await browser.close();
}
