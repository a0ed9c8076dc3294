// A Bot API server that is not ours (npm: telegram-test-api), on the port given.
// In front of it stands what it leaves out and no client can do without: `is_bot` in getMe, `true`
// instead of null as the result of a call that says no more, and the secret with a webhook's updates.
const folder = process.argv[2];
const load = (name) => require(require.resolve(name, { paths: [folder] }));
const { TelegramServer } = load("telegram-test-api/lib/telegramServer");
const axios = load("axios");
const express = load("express");

const server = new TelegramServer({ storeTimeout: 3600 });
const front = express();
front.all("/bot:token/getMe", (_, res) =>
  res.json({ ok: true, result: { id: 666, is_bot: true, first_name: "Test", username: "TestNameBot" } }));
front.use((_, res, next) => {
  const json = res.json.bind(res);
  res.json = (body) => json(body && body.ok && body.result === null ? { ...body, result: true } : body);
  next();
});
front.use(server.webServer);
axios.interceptors.request.use((config) => {
  const hook = Object.values(server.webhooks).find((one) => one.url === config.url);
  if (hook) config.headers["X-Telegram-Bot-Api-Secret-Token"] = hook.secret_token;
  return config;
});
front.listen(Number(process.argv[3]), "127.0.0.1");
