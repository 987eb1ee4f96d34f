// The npm package `binance` over REST.

import { MainClient } from 'binance';

import { SYMBOL as symbol, serve } from './answering.mjs';

function make(setting) {
  const rest = new MainClient({ api_key: setting.key, api_secret: setting.secret, baseUrl: setting.rest_url });
  const limited = (side, quantity, price) => ({ symbol, side, type: 'LIMIT', timeInForce: 'GTC', quantity, price });
  return {
    time: () => {
      throw { absent: 'its getServerTime asks Binance itself, whatever baseUrl says' };
    },
    rules: () => rest.getExchangeInfo({ symbol }),
    book: ({ limit }) => rest.getOrderBook({ symbol, limit }),
    trades: ({ limit }) => rest.getRecentTrades({ symbol, limit }),
    aggregate_trades: ({ limit }) => rest.getAggregateTrades({ symbol, limit }),
    klines: ({ limit }) => rest.getKlines({ symbol, interval: '1m', limit }),
    average: () => rest.getAvgPrice({ symbol }),
    day: () => rest.get24hrChangeStatistics({ symbol }),
    price: () => rest.getSymbolPriceTicker({ symbol }),
    best: () => rest.getSymbolOrderBookTicker({ symbol }),
    balances: () => rest.getAccountInformation(),
    commission: () => rest.getCommissionRates({ symbol }),
    test_order: ({ side, quantity, price }) => rest.testNewOrder(limited(side, quantity, price)),
    limit_order: ({ side, quantity, price, client_id }) =>
      rest.submitNewOrder({ ...limited(side, quantity, price), newClientOrderId: client_id, newOrderRespType: 'FULL' }),
    market_order: ({ side, quantity }) =>
      rest.submitNewOrder({ symbol, side, type: 'MARKET', quantity, newOrderRespType: 'FULL' }),
    query: ({ order }) => rest.getOrder({ symbol, orderId: order }),
    open_orders: () => rest.getOpenOrders({ symbol }),
    replace: ({ order, side, quantity, price }) =>
      rest.replaceOrder({
        ...limited(side, quantity, price), cancelReplaceMode: 'STOP_ON_FAILURE', cancelOrderId: order,
      }),
    cancel: ({ order }) => rest.cancelOrder({ symbol, orderId: order }),
    cancel_all: () => rest.cancelAllSymbolOrders({ symbol }),
    all_orders: () => rest.getAllOrders({ symbol }),
    fills: ({ order }) => rest.getAccountTradeList({ symbol, orderId: order }),
  };
}

serve(make, (error) => (typeof error?.code === 'number' ? ['code', error.code] : null));
