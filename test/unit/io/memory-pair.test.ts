import { describe, expect, test } from 'vitest';
import { InvalidStateError } from '../../../src/base/errors.js';
import { streamPair } from '../../../src/io/open.js';
import { forms, outcome } from '../../support/forms.js';
import { soon } from '../../support/loop.js';
import { pattern, settled, unreadBytes, withEventLoop } from '../../support/net.js';

describe.each(forms)('streamPair() in a $name', (form) => {
  test('bytes go both ways, and each side ends by itself', () =>
    withEventLoop(async () => {
      const [one, other] = streamPair();
      await form.start(function* () {
        one.write('ping\n');
        other.write(Buffer.from('pong\n'));
        expect(String(yield other.readLine())).toBe('ping\n');
        expect(String(yield one.readLine())).toBe('pong\n');
        one.closeWrite();
        expect(String(yield other.read())).toBe('');
        expect(other.atEof()).toBe(true);
        other.write('still');
        expect(String(yield one.readExactly(5))).toBe('still');
        yield one.close();
        yield other.close();
      });
    }));

  test('bytes arrive in a later turn, and not once the reader has closed', () =>
    withEventLoop(async (loop) => {
      const [one, other] = streamPair();
      one.write('early');
      expect(unreadBytes(other)).toBe(0);
      await soon(loop);
      expect(unreadBytes(other)).toBe(5);
      one.write('late');
      void other.close();
      await form.call(() => other.closed);
      expect(String(await form.call(() => other.read(-1)))).toBe('early');
      one.abort();
    }));

  test('few bytes may be changed as soon as they are written', () =>
    withEventLoop(async () => {
      const [one, other] = streamPair();
      const bytes = Buffer.from('mine');
      one.write(bytes);
      bytes.fill(0);
      expect(String(await form.call(() => other.read()))).toBe('mine');
      one.abort();
      other.abort();
    }));

  test('read limit/pause: what nobody reads is bounded, and slows the writer down', () =>
    withEventLoop(async () => {
      const [one, other] = streamPair({ limit: 1000, highWaterMark: 2000 });
      const bytes = pattern(100_000);
      let written = 0;
      const writer = form.start(function* () {
        for (let i = 0; i < bytes.length; i += 500) {
          one.write(bytes.subarray(i, i + 500));
          written = i + 500;
          yield one.drain();
        }
        one.closeWrite();
      });
      await settled(() => written);
      expect(written).toBeLessThanOrEqual(5000);
      expect(unreadBytes(other)).toBeLessThanOrEqual(2500);
      const all = await form.call(() => other.read(-1));
      expect(all.equals(bytes)).toBe(true);
      await writer;
      one.abort();
      other.abort();
    }));

  test('close/abort: what was written before close() still arrives, and then the end', () =>
    withEventLoop(async () => {
      const [one, other] = streamPair();
      one.write('last words');
      await form.call(() => one.close());
      expect(String(await form.call(() => other.read(-1)))).toBe('last words');
      expect(one.isClosing()).toBe(true);
      await form.call(() => other.close());
    }));

  test('close/abort: abort() is a reset to the other side', () =>
    withEventLoop(async () => {
      const [one, other] = streamPair();
      one.write('lost');
      one.abort();
      expect(await outcome(form.call(() => other.read()))).toMatchObject({ code: 'ECONNRESET' });
      await form.call(() => other.closed);
    }));

  test('writing to a side that is closed breaks the connection', () =>
    withEventLoop(async () => {
      const [one, other] = streamPair();
      await form.call(() => other.close());
      one.write('nobody');
      expect(await outcome(form.call(() => one.drain()))).toMatchObject({ code: 'ECONNRESET' });
      await form.call(() => one.closed);
      expect(() => one.write('again')).not.toThrow();
    }));

  test('a write after closeWrite() throws', () =>
    withEventLoop(async () => {
      const [one, other] = streamPair();
      one.closeWrite();
      expect(() => one.write('x')).toThrow(InvalidStateError);
      one.abort();
      await form.call(() => other.closed);
    }));

  test('has no address, and takes the options of sockets', () =>
    withEventLoop(async () => {
      const [one, other] = streamPair();
      expect(one.info).toEqual({ local: null, peer: null });
      expect(one.setNoDelay().setKeepAlive(true, 1000).ref().unref().hasRef()).toBe(false);
      await form.call(() => one.close());
      other.abort();
    }));
});
