// The same as answering.py, for clients on Node: JSON lines in, JSON lines out.

import { createInterface } from 'node:readline';

export const SYMBOL = 'BTCUSDT';

export function push(name, value) {
  write({ push: name, value });
}

function write(value) {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

/** Answers until the input ends; `make` gives an object with a method for each call, which takes named values. */
export async function serve(make, refusal) {
  let client;
  for await (const line of createInterface({ input: process.stdin })) {
    const asked = JSON.parse(line);
    if (client === undefined) client = make(asked);
    else write(await answer(client, asked.call, asked.arguments, refusal));
  }
  if (client?.close) await client.close();
  process.exit(0);
}

async function answer(client, call, values, refusal) {
  if (!(call in client)) return { absent: '' };
  try {
    return { ok: (await client[call](values)) ?? null };
  } catch (error) {
    if (error?.absent !== undefined) return { absent: error.absent };
    const refused = refusal(error);
    return refused ? { refused } : { failed: error?.stack ?? JSON.stringify(error) };
  }
}
