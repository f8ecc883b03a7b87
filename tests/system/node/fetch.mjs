// Fetches a URL through a proxy as Node applications do, and prints the body.
// usage: node fetch.mjs PROXY URL
import { fetch, ProxyAgent } from "undici";

const [proxy, url] = process.argv.slice(2);
try {
  const answer = await fetch(url, { dispatcher: new ProxyAgent(proxy) });
  process.stdout.write(await answer.text());
  process.exit(answer.ok ? 0 : 1);
} catch (error) {
  console.error(error.message, error.cause?.message ?? "");
  process.exit(1);
}
