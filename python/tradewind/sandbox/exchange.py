"""A local exchange: accounts, orders and markets, without any protocol, clock or socket.

Every amount is an integer in units of 1e-8. Everything that is owned by an account, by the venue (its fees) or by the
crowd (the synthetic participants, who may owe) adds up to what was paid in, after every call.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tradewind.sandbox import filters
from tradewind.sandbox.account import Account
from tradewind.sandbox.history import History
from tradewind.sandbox.ledger import Ledger
from tradewind.sandbox.market import Level, Market, Outcome, RawTrade
from tradewind.sandbox.observer import Cause, Changes, Observer
from tradewind.sandbox.order import Execution, Fill, Order, OrderRequest, PreventedMatch, Status, Trade
from tradewind.sandbox.refusal import Reason, Refusal
from tradewind.sandbox.units import UNIT, worth

_FIRST_CROWD_KEY = 1 << 62
_FIRST_CROWD_PARTICIPANT = 1 << 30
_FIRST_OUTSIDE_KEY = 1 << 63
"""Keys of orders that belong to nobody, above those of the participants."""
_ENDED: dict[str, Status] = {"EXPIRED": "EXPIRED", "TRADE_PREVENTION": "EXPIRED_IN_MATCH", "CANCELED": "CANCELED"}
_UNFILLED = {"IOC": "UNFILLED_IOC_QUANTITY_EXPIRED", "FOK": "UNFILLED_FOK_ORDER_EXPIRED"}
_ILLIQUID = "INSUFFICIENT_LIQUIDITY"
"""Why an order ended that does not rest."""


class Exchange:
    """Accounts, orders and markets.

    Parameters
    ----------
    markets
        The markets by symbol.
    observer
        Who is told of what happens.
    kept_orders
        How many closed orders of an account, and how many fills and prevented matches of an account and symbol, are
        kept.

    """

    def __init__(self, markets: Iterable[Market], observer: Observer, kept_orders: int = 200_000) -> None:
        self.markets = {market.symbol.name: market for market in markets}
        self.ledger = Ledger()
        self.accounts = self.ledger.accounts
        self.fees = self.ledger.fees
        self.crowd = self.ledger.crowd
        self.paid_in = self.ledger.paid_in
        self.history = History(kept_orders)
        self.orders = self.history.orders
        self.open_orders = self.history.open_orders
        self.fills = self.history.fills
        self.fills_by_order = self.history.fills_by_order
        self._observer = observer
        self._crowd_key = _FIRST_OUTSIDE_KEY
        self._changes = Changes()

    # Accounts

    def add_account(self, name: str, now_ns: int) -> Account:
        """Open an account that holds nothing."""
        account = self.ledger.open(name, now_ns)
        self._finish(now_ns)
        return account

    def transfer(self, account: Account, asset: str, amount: int, now_ns: int) -> None:
        """Pay into an account, or out of what is free of it."""
        if account.balance(asset).free + amount < 0:
            raise Refusal(Reason.INSUFFICIENT_BALANCE)
        self.ledger.pay_in(account, asset, amount)
        self._observer.on_transfer(account.number, asset, amount, now_ns)
        self._finish(now_ns)

    def total(self, asset: str) -> int:
        """What all accounts, the venue and the crowd have of an asset: always what was paid in."""
        return self.ledger.total(asset)

    # Orders

    def submit(self, account: Account, request: OrderRequest, now_ns: int) -> Order:
        """Carry out an order; it is refused whole or taken."""
        market = self._market(request.symbol)
        quantity, reserve = self._checked(account, market, request, now_ns)
        order = self._new_order(account, market, request, quantity, now_ns)
        order.is_short = bool(request.quote_quantity) and self._has_too_little(market, request, quantity)
        self.history.add(order)
        self.ledger.lock(order, market.symbol, reserve)
        self._report(order, "NEW", None, now_ns)
        self._match(market, order, now_ns)
        self._finish(now_ns)
        return order

    def reject(self, account: Account, request: OrderRequest, reason: Reason, now_ns: int) -> None:
        """Tell the owner of an order that the engine rejected; it is not kept."""
        order = self._new_order(account, self._market(request.symbol), request, request.quantity, now_ns)
        order.status = "REJECTED"
        self._observer.on_report(order, "REJECTED", reason, now_ns)

    @staticmethod
    def _new_order(account: Account, market: Market, request: OrderRequest, quantity: int, now_ns: int) -> Order:
        market.order_id += 1
        return Order(
            id=market.order_id,
            account=account.number,
            symbol=request.symbol,
            buy=request.buy,
            kind=request.kind,
            client_id=request.client_id,
            time_in_force=request.time_in_force,
            price=request.price,
            quantity=quantity,
            quote_quantity=request.quote_quantity,
            self_trade=request.self_trade,
            created_ns=now_ns,
            updated_ns=now_ns,
            strategy_id=request.strategy_id,
            strategy_type=request.strategy_type,
        )

    def check(self, account: Account, request: OrderRequest, now_ns: int) -> None:
        """Refuse what `submit` would refuse; change nothing."""
        self._checked(account, self._market(request.symbol), request, now_ns)

    def cancel(self, order: Order, now_ns: int, client_id: str = "") -> None:
        """Take an order out of the book; the cancel may have a client id of its own."""
        if not order.is_open:
            raise Refusal(Reason.UNKNOWN_ORDER)
        market = self.markets[order.symbol]
        _, _, levels, _ = market.book.cancel(order.id)
        order.replaced_id = client_id
        self._end(order, "CANCELED", now_ns)
        self._show_levels(market, levels, now_ns)
        self._finish(now_ns)

    def expire(self, order: Order, reason: str, now_ns: int) -> None:
        """End an open order on the venue's own account."""
        market = self.markets[order.symbol]
        _, _, levels, _ = market.book.cancel(order.id)
        order.expiry_reason = reason
        self._end(order, "EXPIRED", now_ns)
        self._show_levels(market, levels, now_ns)
        self._finish(now_ns)

    def find(self, account: Account, symbol: str, order_id: int | None, client_id: str | None) -> Order | None:
        """An order of an account by its id, or the latest one by its client id."""
        if order_id is not None:
            order = self.orders.get((symbol, order_id))
            mine = order is not None and order.account == account.number
            return order if mine and client_id in (None, order and order.client_id) else None
        return self.history.named(account.number, symbol, client_id or "")

    # The crowd

    def fill_by_crowd(self, order: Order, now_ns: int) -> None:
        """Let somebody of the crowd trade what rests before an order, and the order."""
        market = self.markets[order.symbol]
        ahead = sum(
            quantity
            for price, quantity in market.book.levels(order.buy)
            if (price >= order.price if order.buy else price <= order.price)
        )
        self._trade_by_crowd(market, not order.buy, ahead, order.price, now_ns)

    def sweep(self, market: Market, asks: bool, now_ns: int) -> None:
        """Let somebody of the crowd take one side of a book."""
        quantity = sum(quantity for _, quantity in market.book.levels(not asks))
        if quantity:
            self._trade_by_crowd(market, asks, quantity, None, now_ns)

    def _trade_by_crowd(self, market: Market, buy: bool, quantity: int, limit: int | None, now_ns: int) -> None:
        _, (_, trades, levels, _) = self.submit_for_crowd(market, buy, quantity, limit, "ioc")
        self.settle(market, trades, levels, now_ns)

    def submit_for_crowd(
        self, market: Market, buy: bool, quantity: int, limit: int | None, time_in_force: str
    ) -> tuple[int, Outcome]:
        """Send an order of the crowd into a book; gives its key, and what is to be settled."""
        self._crowd_key += 1
        participant = _FIRST_CROWD_PARTICIPANT - 1
        return self._crowd_key, market.book.submit(self._crowd_key, participant, buy, quantity, limit, time_in_force)

    def advance(self, market: Market, until_ns: int, now_ns: int, maximum: int = 1_000) -> int:
        """Let the participants act until then in their time; how many actions changed something."""
        actions = market.book.advance(until_ns, maximum)
        for _, trades, levels in actions:
            self.settle(market, trades, levels, now_ns)
        return len(actions)

    def settle(self, market: Market, trades: Sequence[RawTrade], levels: Sequence[Level], now_ns: int) -> None:
        """Carry out what somebody of the crowd did in a book."""
        if trades:
            self._settle(market, trades, None, now_ns)
        self._show_levels(market, levels, now_ns)
        self._finish(now_ns)

    # State that is restored

    def restore(
        self,
        accounts: Iterable[Account],
        orders: Iterable[Order],
        fills: Iterable[Fill],
        prevented: Iterable[PreventedMatch],
    ) -> None:
        """Take over what was kept, orders as they were placed."""
        self.accounts.update({account.number: account for account in accounts})
        self.history.restore(orders, fills, prevented)

    def reenter(self, now_ns: int) -> None:
        """Put the restored open orders into the books, of all accounts the oldest first."""
        for order in [order for order in self.orders.values() if order.is_open]:
            self._match(self.markets[order.symbol], order, now_ns)
            self._finish(now_ns)

    # What an order needs

    def _market(self, symbol: str) -> Market:
        market = self.markets.get(symbol)
        if market is None:
            raise Refusal(Reason.UNKNOWN_SYMBOL)
        return market

    def _checked(self, account: Account, market: Market, request: OrderRequest, now_ns: int) -> tuple[int, int]:
        """The quantity of an order and what must be set aside for it, if it may be taken."""
        if not (market.is_open and market.is_listed):
            raise Refusal(Reason.MARKET_CLOSED)
        quantity = request.quantity
        if request.kind == "MARKET" and request.quote_quantity:
            quantity = self._quantity_of_quote(market, request)
        filters.check(market, request, quantity, now_ns)
        filters.check_account(market, request, quantity, account, self.open_orders[account.number].values())
        namesake = self.history.named(account.number, request.symbol, request.client_id)
        if namesake is not None and namesake.is_open:
            raise Refusal(Reason.DUPLICATE)
        limit = request.price if request.kind != "MARKET" else None
        if request.kind == "LIMIT_MAKER" and market.book.available(request.buy, limit, 1):
            raise Refusal(Reason.WOULD_TAKE)
        reserve = quantity
        if request.buy:
            reserve = worth(request.price, quantity) if limit is not None else self._market_cost(market, quantity)
        asset = market.symbol.quote if request.buy else market.symbol.base
        if account.balance(asset).free < reserve:
            raise Refusal(Reason.INSUFFICIENT_BALANCE)
        return quantity, reserve

    @staticmethod
    def _quantity_of_quote(market: Market, request: OrderRequest) -> int:
        """How much the book gives for an amount of the quote asset."""
        symbol = market.symbol
        if market.best[1 if request.buy else 0] is None:
            raise Refusal(Reason.NO_LIQUIDITY)
        quantity = market.book.affordable(request.buy, request.quote_quantity * UNIT, symbol.lot)
        if quantity < symbol.minimum_quantity:
            raise Refusal(Reason.LITTLE_LIQUIDITY)
        return quantity

    @staticmethod
    def _has_too_little(market: Market, request: OrderRequest, quantity: int) -> bool:
        """Whether the book ends before an amount of the quote asset does."""
        lot = market.symbol.lot
        there, value = market.book.cost(request.buy, quantity + lot)
        worst, _ = market.book.levels(not request.buy)[-1]
        return there == quantity and request.quote_quantity * UNIT - value >= worst * lot

    @staticmethod
    def _market_cost(market: Market, quantity: int) -> int:
        _, value = market.book.cost(True, quantity)
        return -(-value // UNIT)

    def _match(self, market: Market, order: Order, now_ns: int) -> None:
        """Send an order into the book, and carry out what happens there."""
        limit = order.price if order.kind != "MARKET" else None
        reach, met = self._reach(market, order, limit, now_ns)
        quantity = self._affordable(market, order, reach)
        is_short = order.time_in_force == "FOK" and market.book.available(order.buy, limit, quantity) < order.quantity
        if quantity and not is_short:
            rests = order.kind != "MARKET" and order.time_in_force == "GTC" and quantity == order.remaining
            time_in_force = "gtc" if rests else "ioc"
            key = order.id
            _, trades, levels, _ = market.book.submit(key, order.account, order.buy, quantity, limit, time_in_force)
            if trades:
                self._settle(market, trades, order, now_ns)
            self._show_levels(market, levels, now_ns)
            if rests:
                return
        if order.is_filled:
            return
        if met is not None and quantity == reach:
            self._prevent(market, order, met, order.remaining, now_ns)
        else:
            order.expiry_reason = _UNFILLED.get(order.time_in_force, _ILLIQUID)
            self._end(order, "EXPIRED", now_ns)

    def _affordable(self, market: Market, order: Order, quantity: int) -> int:
        """How much of a quantity an order can pay for; what was to be had cheaply may have been its owner's."""
        if not order.buy or order.kind != "MARKET":
            return quantity
        missing = self._market_cost(market, quantity) - order.locked
        most = self.accounts[order.account].balance(market.symbol.quote).free
        if order.quote_quantity:
            most = min(most, order.quote_quantity - order.locked)
        more = min(missing, most)
        if more > 0:
            self.ledger.lock(order, market.symbol, more)
        return min(quantity, market.book.affordable(True, order.locked * UNIT, market.symbol.lot))

    # Trades with oneself

    def _reach(self, market: Market, order: Order, limit: int | None, now_ns: int) -> tuple[int, Order | None]:
        """How much an order may trade or rest, and the order of its own account that it meets there."""
        against = self.open_orders[order.account].values()
        is_alone = all(one.buy == order.buy or one.symbol != order.symbol for one in against)
        while order.self_trade != "NONE" and not is_alone:
            before, own = market.book.own_orders_ahead(order.account, order.buy, order.remaining, limit)
            if not own:
                break
            maker = self.orders[market.symbol.name, own[0]]
            if order.self_trade != "EXPIRE_MAKER":
                return before, maker
            self._prevent(market, order, maker, order.remaining - before, now_ns)
        return order.remaining, None

    def _prevent(self, market: Market, taker: Order, maker: Order, left: int, now_ns: int) -> None:
        """End one of two orders of an account, or both, instead of a trade; so much of the taker is left there."""
        market.prevented_id += 1
        match = PreventedMatch(
            id=market.prevented_id,
            account=taker.account,
            symbol=taker.symbol,
            taker=taker.id,
            maker=maker.id,
            mode=taker.self_trade,
            price=maker.price,
            quantity=min(left, maker.remaining),
            taker_prevented=left if taker.self_trade != "EXPIRE_MAKER" else 0,
            maker_prevented=maker.remaining if taker.self_trade != "EXPIRE_TAKER" else 0,
            time_ns=now_ns,
        )
        self.history.file_prevented(match)
        self._changes.prevented.append(match)
        if match.maker_prevented:
            _, _, levels, _ = market.book.cancel(maker.id)
            maker.prevented, maker.prevented_match = match.maker_prevented, match.id
            self._end(maker, "TRADE_PREVENTION", now_ns, match)
            self._show_levels(market, levels, now_ns)
        if match.taker_prevented:
            taker.prevented, taker.prevented_match = match.taker_prevented, match.id
            self._end(taker, "TRADE_PREVENTION", now_ns, match)

    # Trades

    def _settle(self, market: Market, trades: Sequence[RawTrade], taker: Order | None, now_ns: int) -> None:
        """Carry out the trades of one action."""
        shown: list[Trade] = []
        for price, quantity, buyer_took, maker_key, _, _, taker_key, _, _ in trades:
            orders = (taker_key, maker_key) if buyer_took else (maker_key, taker_key)
            trade = market.remember(now_ns, price, quantity, buyer_took, orders)
            shown.append(trade)
            maker = self.orders[market.symbol.name, maker_key] if maker_key < _FIRST_CROWD_KEY else None
            if maker is not None:
                self._fill(market, maker, trade, True, now_ns)
            if taker is not None:
                self._fill(market, taker, trade, False, now_ns)
            users = [one for one in (maker, taker) if one is not None]
            if len(users) == 1:
                self.ledger.fill_crowd(market.symbol, trade, not users[0].buy)
        self._observer.on_trades(market, shown, market.aggregate(shown))

    def _fill(self, market: Market, order: Order, trade: Trade, maker: bool, now_ns: int) -> None:
        """Carry out one side of a trade."""
        fill = self.ledger.fill(order, market.symbol, trade, maker)
        order.status = "FILLED" if order.is_filled else "PARTIALLY_FILLED"
        order.updated_ns = now_ns
        self.history.file(fill)
        self._changes.fills.append(fill)
        if order.is_filled:
            self._close(order)
        self._report(order, "TRADE", fill, now_ns)

    # An order's life

    def _end(self, order: Order, execution: Execution, now_ns: int, cause: Cause = None) -> None:
        """End what is left of an order, and give back what was set aside for it."""
        order.status, order.updated_ns = _ENDED[execution], now_ns
        self._close(order)
        self._report(order, execution, cause, now_ns)

    def _close(self, order: Order) -> None:
        if order.locked:
            self.ledger.lock(order, self.markets[order.symbol].symbol, -order.locked)
        self.history.close(order)

    # Telling of it

    def _report(self, order: Order, execution: Execution, cause: Cause, now_ns: int) -> None:
        self._changes.orders[order.key] = order
        self._observer.on_report(order, execution, cause, now_ns)

    def _show_levels(self, market: Market, levels: Sequence[Level], now_ns: int) -> None:
        if levels:
            first_id = market.update_id + 1
            self._observer.on_book(market, levels, first_id, market.step(levels), now_ns)

    def _finish(self, now_ns: int) -> None:
        """The end of an action: what it changed is kept, then the accounts learn of their balances."""
        touched = self.ledger.take_touched(now_ns)
        self._changes.accounts.update(dict.fromkeys(touched))
        changes = self._changes
        if not (changes.accounts or changes.orders or changes.fills):
            return
        # What cannot be kept, such as on a full disk, is kept with the next action.
        self._observer.on_changes(changes)
        self._changes = Changes()
        for number, assets in touched.items():
            if assets:
                self._observer.on_balances(number, assets, now_ns)
