// A stream as a pair of web streams.
import { ReadableStream, WritableStream } from 'node:stream/web';
import type { Awaitable } from '../task/awaitable.js';

/** What is needed of a stream. @internal */
export interface WebSource {
  read(): Awaitable<Buffer>;
  send(data: Uint8Array): Awaitable<void>;
  _endWriting(): Awaitable<void> | null;
  close(): unknown;
  abort(): void;
}

/** Both directions of a stream. */
export interface WebStreams {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
}

/** Connects web streams to `stream`, which is closed when both have ended. @internal */
export function webStreamsOf(stream: WebSource): WebStreams {
  let open = 2;
  const endOne = (): void => {
    open--;
    if (open === 0) stream.close();
  };
  const readable = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const chunk = await stream.read();
        if (chunk.length > 0) return controller.enqueue(chunk);
        controller.close();
        endOne();
      },
      cancel: endOne,
    },
    // What nobody wants stays in the stream, which slows the peer down.
    { highWaterMark: 0 },
  );
  const writable = new WritableStream<Uint8Array>({
    write: async (chunk) => await stream.send(chunk),
    async close() {
      await stream._endWriting();
      endOne();
    },
    abort: () => stream.abort(),
  });
  return { readable, writable };
}
