// likesd from Node, with ioredis: node likes.js [SOCKET]
"use strict";

const Redis = require("ioredis");
const { setTimeout: sleep } = require("node:timers/promises");

const ATTEMPTS_MAX = 5;
const TEMPORARY = new Set(["BUSY", "UNAVAILABLE", "UNCERTAIN"]);

class RateLimitedError extends Error {}

/** The likes daemon of this host. One connection serves a whole process: requests are pipelined. */
class Likes {
  constructor(path = "/run/likesd/likesd.sock") {
    this.client = new Redis(path, {
      // likesd answers within 5 s. A slightly longer timeout gets that answer.
      commandTimeout: 7000,
      enableAutoPipelining: false,
      maxRetriesPerRequest: 1,
      retryStrategy: (attempt) => Math.min(50 * 2 ** attempt, 1000),
    });
    // Without a listener ioredis prints every failed attempt to connect.
    this.client.on("error", () => {});
  }

  /** { changed: whether the like is new, count: the item's count } */
  async like(user, item) {
    const [changed, count] = await this.call("LIKE", user, item);
    return { changed: changed === 1, count };
  }

  async unlike(user, item) {
    const [changed, count] = await this.call("UNLIKE", user, item);
    return { changed: changed === 1, count };
  }

  count(item) {
    return this.call("COUNT", item);
  }

  /** The counts of up to 1,000 items, in their order. */
  counts(items) {
    return this.call("MCOUNT", ...items);
  }

  async liked(user, item) {
    return (await this.call("LIKED", user, item)) === 1;
  }

  close() {
    return this.client.quit();
  }

  async call(...request) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.client.call(...request);
      } catch (error) {
        const code = error.message.split(" ", 1)[0];
        if (code === "RATELIMITED") throw new RateLimitedError(error.message);
        // A ReplyError comes from likesd. Anything else comes from the connection: it is unknown whether the change was
        // stored, and all requests may be repeated.
        const isFinal = error.name === "ReplyError" && !TEMPORARY.has(code);
        if (isFinal || attempt === ATTEMPTS_MAX) throw error;
        await sleep(50 * 2 ** attempt * (0.5 + Math.random() / 2));
      }
    }
  }
}

async function main() {
  const likes = new Likes(process.argv[2]);
  const [user, item] = [123, "post:456"];
  console.log("like:  ", await likes.like(user, item));
  console.log("again: ", await likes.like(user, item));
  console.log("count: ", await likes.count(item));
  console.log("liked: ", await likes.liked(user, item));
  // Sent together, answered in order.
  console.log("many:  ", await Promise.all([likes.like(user, "reel:7"), likes.like(user, "reel:8")]));
  console.log("counts:", await likes.counts([item, "reel:7", "reel:8"]));
  for (const each of [item, "reel:7", "reel:8"]) console.log("unlike:", await likes.unlike(user, each));
  await likes.close();
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
