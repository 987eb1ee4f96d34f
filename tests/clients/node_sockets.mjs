// The npm package `binance`: orders over the WebSocket API, and everything that is pushed.

import { WebsocketAPIClient, WebsocketClient, WS_KEY_MAP } from 'binance';

import { SYMBOL as symbol, push, serve } from './answering.mjs';

const lower = symbol.toLowerCase();
const STREAMS = {
  trades: `${lower}@trade`,
  aggregate_trades: `${lower}@aggTrade`,
  differences: `${lower}@depth@100ms`,
  partial_book: `${lower}@depth5@100ms`,
  best: `${lower}@bookTicker`,
  klines: `${lower}@kline_1m`,
  day: `${lower}@ticker`,
  mini: `${lower}@miniTicker`,
};
const NAMES = Object.fromEntries(Object.entries(STREAMS).map(([name, stream]) => [stream, name]));
const silent = { trace() {}, info() {}, error: (...words) => console.error(...words) };

function make(setting) {
  const keys = { api_key: setting.key, api_secret: setting.secret };
  const api = new WebsocketAPIClient({ ...keys, wsUrl: setting.stream_url, attachEventListeners: false }, silent);
  const streams = new WebsocketClient({ wsUrl: setting.stream_url }, silent);
  api.getWSClient().on('message', (found) => push('account', found.event ?? found));
  streams.on('message', (found) => found.streamName && push(NAMES[found.streamName], found));
  // Requests of an account need the time even where the session is logged on: the package leaves it to its users.
  const dated = (values) => ({ symbol, timestamp: Date.now(), ...values });
  const limited = (side, quantity, price) => dated({ side, type: 'LIMIT', timeInForce: 'GTC', quantity, price });
  const result = async (answer) => (await answer).result;
  return {
    time: () => result(api.getSpotServerTime()),
    rules: () => result(api.getSpotExchangeInfo({ symbol })),
    book: ({ limit }) => result(api.getSpotOrderBook({ symbol, limit })),
    trades: ({ limit }) => result(api.getSpotRecentTrades({ symbol, limit })),
    aggregate_trades: ({ limit }) => result(api.getSpotAggregateTrades({ symbol, limit })),
    klines: ({ limit }) => result(api.getSpotKlines({ symbol, interval: '1m', limit })),
    average: () => result(api.getSpotAveragePrice({ symbol })),
    day: () => result(api.getSpot24hrTicker({ symbol })),
    price: () => result(api.getSpotSymbolPriceTicker({ symbol })),
    best: () => result(api.getSpotSymbolOrderBookTicker({ symbol })),
    balances: () => result(api.getSpotAccountInformation({ timestamp: Date.now() })),
    commission: () => result(api.getSpotAccountCommission(dated())),
    test_order: ({ side, quantity, price }) => result(api.testSpotOrder(limited(side, quantity, price))),
    limit_order: ({ side, quantity, price, client_id }) =>
      result(api.submitNewSpotOrder({ ...limited(side, quantity, price), newClientOrderId: client_id })),
    market_order: ({ side, quantity }) => result(api.submitNewSpotOrder(dated({ side, type: 'MARKET', quantity }))),
    query: ({ order }) => result(api.getSpotOrderStatus(dated({ orderId: order }))),
    open_orders: () => result(api.getSpotOpenOrders(dated())),
    replace: ({ order, side, quantity, price }) =>
      result(api.cancelReplaceSpotOrder({
        ...limited(side, quantity, price), cancelReplaceMode: 'STOP_ON_FAILURE', cancelOrderId: order,
      })),
    cancel: ({ order }) => result(api.cancelSpotOrder(dated({ orderId: order }))),
    cancel_all: () => result(api.cancelAllSpotOpenOrders(dated())),
    all_orders: () => result(api.getSpotAllOrders(dated())),
    fills: ({ order }) => result(api.getSpotMyTrades(dated({ orderId: order }))),
    watch: async ({ stream }) => {
      if (stream === 'account') await api.subscribeUserDataStream(WS_KEY_MAP.mainWSAPI);
      else if (stream in STREAMS) await streams.subscribe(STREAMS[stream], WS_KEY_MAP.main);
      else throw { absent: '' };
    },
    close: async () => {
      streams.closeAll(true);
      await api.disconnectAll();
    },
  };
}

serve(make, (error) => (typeof error?.error?.code === 'number' ? ['error.code', error.error.code] : null));
