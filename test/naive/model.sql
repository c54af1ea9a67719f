/*
 * model.sql
 *
 * Section 5 of the specification once more, as naively as it can be written:
 * plain tables in a schema of its own and PL/pgSQL functions that do everything
 * one row after another. test/t/070_properties.pl does each of its random
 * operations here and in the extension, and compares what both have then.
 *
 * Load it first, then rules.sql with search_path = model: its views then read
 * the tables below. So the matching decision is that of the naive rules, on the
 * model's own balances. Nothing here reads the extension's balances, ledger or
 * associations to come to its own; only the comparison at the end reads them,
 * and the ids of line items, to know which of ours is which of theirs.
 *
 * An operation is a jsonb object, {"op": ...} (model.apply). The test also loads
 * wrong variants of this file, for which it replaces single lines; one that it
 * cannot find any more makes it fail.
 */
CREATE SCHEMA model;
SET search_path = model;

CREATE FUNCTION this_month() RETURNS text LANGUAGE sql STABLE AS
$$ SELECT to_char(po.po_now() AT TIME ZONE 'UTC', 'YYYY-MM') $$;

CREATE TABLE po_account (
	account_id text COLLATE "C" PRIMARY KEY,
	currency text NOT NULL DEFAULT 'USD',
	period_basis text NOT NULL DEFAULT 'billing_period',
	time_zone text NOT NULL DEFAULT 'UTC',
	closed_through text COLLATE "C",
	alert_thresholds numeric[] NOT NULL DEFAULT '{0.75}'
);
CREATE TABLE po_order (
	account_id text COLLATE "C",
	po_number text COLLATE "C",
	bill_from text NOT NULL,
	status text NOT NULL,
	effective_month text COLLATE "C" NOT NULL,
	expiration_month text COLLATE "C" NOT NULL,
	currency text NOT NULL,
	description text,
	tax_registration_numbers text[],
	updated_at bigint NOT NULL,		-- counted, not measured
	PRIMARY KEY (account_id, po_number)
);
CREATE TABLE po_line_item (
	line_item_id bigint PRIMARY KEY,
	account_id text COLLATE "C" NOT NULL,
	po_number text COLLATE "C" NOT NULL,
	line_number text COLLATE "C" NOT NULL,
	line_type text COLLATE "C" NOT NULL,
	start_month text COLLATE "C" NOT NULL,
	end_month text COLLATE "C" NOT NULL,
	balance_tracked boolean NOT NULL,
	amount numeric NOT NULL,
	quantity numeric NOT NULL,
	tax numeric NOT NULL,
	tax_kind text NOT NULL,
	consumed_before numeric NOT NULL,
	balance numeric,
	agreement_id text,
	description text,
	UNIQUE (account_id, po_number, line_number)
);
CREATE TABLE po_invoice (
	account_id text COLLATE "C",
	bill_from text COLLATE "C",
	invoice_id text COLLATE "C",
	kind text NOT NULL,
	line_type text NOT NULL,
	billing_month text COLLATE "C" NOT NULL,
	issued_on date NOT NULL,
	due_on date,
	amount numeric NOT NULL,
	currency text NOT NULL,
	agreement_id text,
	requested_po_number text,
	requested_line_number text,
	out_of_cycle boolean,
	original_invoice_id text COLLATE "C",
	po_number text,
	line_number text,
	line_item_id bigint,
	association_kind text,
	void boolean NOT NULL DEFAULT false,
	recorded bigint NOT NULL,
	PRIMARY KEY (account_id, bill_from, invoice_id)
);
CREATE TABLE po_ledger (
	account_id text NOT NULL,
	line_item_id bigint NOT NULL,
	bill_from text,
	invoice_id text,
	entry_kind text NOT NULL,
	amount numeric NOT NULL,
	month text COLLATE "C" NOT NULL DEFAULT model.this_month(),
	archived boolean NOT NULL DEFAULT false
);
CREATE TABLE po_contact (
	account_id text NOT NULL,
	po_number text NOT NULL,
	email text COLLATE "C" NOT NULL,
	PRIMARY KEY (account_id, po_number, email)
);
CREATE TABLE po_notification (
	notification_id bigserial PRIMARY KEY,
	account_id text NOT NULL,
	po_number text NOT NULL,
	line_number text NOT NULL,
	threshold numeric NOT NULL,
	recipients text[] NOT NULL
);
/* line items that a statement has moved, row by row */
CREATE TABLE any_order (account_id text, po_number text, line_number text);
CREATE TABLE po_change_log (
	account_id text NOT NULL,
	po_number text,
	line_number text,
	operation text NOT NULL,
	old jsonb,
	new jsonb,
	change bigint NOT NULL,
	month text COLLATE "C" NOT NULL DEFAULT model.this_month(),
	archived boolean NOT NULL DEFAULT false
);
CREATE VIEW po_taxonomy AS SELECT line_type::text, out_of_cycle_only FROM po.po_taxonomy;
CREATE VIEW po_seller_alias AS SELECT alias, bill_from, enabled FROM po.po_seller_alias;
CREATE VIEW seller_type AS SELECT bill_from, line_type::text FROM po.po_seller_line_type WHERE enabled;

/* which of our line items is which of the extension's */
CREATE TABLE theirs (line_item_id bigint PRIMARY KEY, their_id bigint NOT NULL, account_id text NOT NULL);

CREATE SEQUENCE tick;		-- the clock
CREATE SEQUENCE item_id;

/* a change of configuration; of an update what is another value */
CREATE FUNCTION log(account text, number text, line text, was jsonb, is_now jsonb) RETURNS void LANGUAGE sql AS $$
	INSERT INTO model.po_change_log
	SELECT account, number, line, CASE WHEN o IS NULL THEN 'insert' WHEN n IS NULL THEN 'delete' ELSE 'update' END,
		CASE WHEN n IS NULL THEN o ELSE (SELECT jsonb_object_agg(k, v) FROM jsonb_each(o) x(k, v) WHERE v::text <> (n->k)::text) END,
		CASE WHEN o IS NULL THEN n ELSE (SELECT jsonb_object_agg(k, v) FROM jsonb_each(n) x(k, v) WHERE v::text <> (o->k)::text) END,
		nextval('model.tick')
	FROM (SELECT was - '{balance,updated_at,line_item_id}'::text[] AS o, is_now - '{balance,updated_at,line_item_id}'::text[] AS n) r
$$;

-- ---------------------------------------------------------------------------

CREATE FUNCTION fail(code text, message text) RETURNS void LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION USING ERRCODE = code, MESSAGE = 'model: ' || message; END $$;

CREATE FUNCTION trimmed(t text) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT nullif(btrim(t), '') $$;

CREATE FUNCTION seller(name text) RETURNS text LANGUAGE sql STABLE AS
$$ SELECT coalesce((SELECT a.bill_from FROM model.po_seller_alias a WHERE a.alias = name AND a.enabled), name) $$;

CREATE FUNCTION net(i po_line_item) RETURNS numeric LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE i.tax_kind WHEN 'percent' THEN i.amount * i.quantity * (1 + i.tax * 0.01)
		  ELSE i.amount * i.quantity + i.tax END - i.consumed_before $$;

CREATE FUNCTION total(i po_line_item) RETURNS numeric LANGUAGE sql IMMUTABLE AS
$$ SELECT model.net(i) + i.consumed_before $$;

/* zero is reached, the others are passed */
CREATE FUNCTION is_below(i po_line_item, share numeric) RETURNS boolean LANGUAGE sql IMMUTABLE AS
$$ SELECT i.balance_tracked AND model.total(i) > 0
	AND CASE WHEN share = 0 THEN i.balance <= 0 ELSE i.balance < share * model.total(i) END $$;

/* tells the contacts of each threshold that the line item is below now and was not before */
CREATE FUNCTION tell(old po_line_item, new po_line_item) RETURNS void LANGUAGE sql AS $$
	INSERT INTO model.po_notification (account_id, po_number, line_number, threshold, recipients)
	SELECT new.account_id, new.po_number, new.line_number, t.share, c.emails
	FROM (SELECT DISTINCT unnest(a.alert_thresholds) AS share FROM model.po_account a WHERE a.account_id = new.account_id) t,
		(SELECT array_agg(x.email ORDER BY x.email) AS emails FROM model.po_contact x
		 WHERE x.account_id = new.account_id AND x.po_number = new.po_number) c
	WHERE c.emails IS NOT NULL AND model.is_below(new, t.share) AND NOT model.is_below(old, t.share)
	ORDER BY t.share DESC
$$;

/* what the balance has already of a row that a trigger has stopped at */
CREATE TABLE waits (line_item_id bigint, amount numeric);
CREATE FUNCTION waiting(item bigint) RETURNS numeric LANGUAGE sql STABLE AS
$$ SELECT coalesce(sum(amount), 0) FROM model.waits WHERE line_item_id = item $$;

/* what is booked on a line item, entry by entry */
CREATE FUNCTION book(account text, item bigint, seller text, invoice text, kind text, amount numeric)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	old model.po_line_item;
	new model.po_line_item;
BEGIN
	INSERT INTO model.po_ledger VALUES (account, item, seller, invoice, kind, amount);
	SELECT * INTO old FROM model.po_line_item i WHERE i.line_item_id = item;
	UPDATE model.po_line_item i SET balance = i.balance + book.amount
	WHERE i.line_item_id = item AND i.balance_tracked RETURNING * INTO new;
	old.balance := old.balance - model.waiting(item);
	new.balance := new.balance - model.waiting(item);
	PERFORM model.tell(old, new);	-- booked
END $$;

CREATE FUNCTION check_open(account text, month text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF EXISTS (SELECT FROM model.po_account a WHERE a.account_id = account AND month <= a.closed_through) THEN
		PERFORM model.fail('55000', 'closed');
	END IF;
END $$;

-- ---------------------------------------------------------------------------
-- Matching: the naive rules decide
-- ---------------------------------------------------------------------------

CREATE FUNCTION best(v po_invoice, on_order text DEFAULT NULL) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	found_item bigint;
BEGIN
	DELETE FROM naive.question;
	INSERT INTO naive.question (id, account_id, bill_from, line_type, billing_month, amount, currency,
		issued_on, requested_po_number, requested_line_number, agreement_id, out_of_cycle, booked_line_item_id)
	VALUES (1, v.account_id, v.bill_from, v.line_type, v.billing_month, v.amount, v.currency,
		v.issued_on, coalesce(on_order, v.requested_po_number),
		CASE WHEN on_order IS NULL THEN v.requested_line_number END,
		v.agreement_id, v.out_of_cycle, v.line_item_id);
	SELECT r.line_item_id INTO found_item FROM naive.ranked r WHERE r.rank = 1;
	RETURN found_item;
END $$;

/* the association of v, with a kind: by hand */
CREATE FUNCTION by_hand(INOUT v po_invoice, wanted_order text, wanted_line text) LANGUAGE plpgsql AS $$
DECLARE
	o model.po_order;
	item model.po_line_item;
	n integer;
BEGIN
	SELECT * INTO o FROM model.po_order x WHERE x.account_id = v.account_id AND x.po_number = wanted_order;
	IF NOT FOUND THEN
		PERFORM model.fail('23503', 'no order');
	END IF;
	IF o.bill_from <> v.bill_from OR o.currency <> v.currency THEN
		PERFORM model.fail('23514', 'seller or currency');
	END IF;
	IF wanted_line IS NULL THEN
		SELECT * INTO item FROM model.po_line_item i WHERE i.line_item_id = model.best(v, wanted_order);
		IF item.line_item_id IS NULL THEN
			SELECT count(*) INTO n FROM model.po_line_item i
			WHERE i.account_id = v.account_id AND i.po_number = wanted_order;
			IF n <> 1 THEN
				PERFORM model.fail('23514', 'no single line item');
			END IF;
			SELECT * INTO item FROM model.po_line_item i
			WHERE i.account_id = v.account_id AND i.po_number = wanted_order;
		END IF;
	ELSE
		SELECT * INTO item FROM model.po_line_item i
		WHERE i.account_id = v.account_id AND i.po_number = wanted_order AND i.line_number = wanted_line;
		IF NOT FOUND THEN
			PERFORM model.fail('23503', 'no line item');
		END IF;
	END IF;
	v.po_number := item.po_number;
	v.line_number := item.line_number;
	v.line_item_id := item.line_item_id;
	v.association_kind := 'manual';
END $$;

/* an invoice of a contract makes the order that it asks for, where that is not there */
CREATE FUNCTION make_order(v po_invoice) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	a model.po_account;
	issued text := to_char(v.issued_on::date, 'YYYY-MM');
	months text[];
BEGIN
	SELECT * INTO a FROM model.po_account x WHERE x.account_id = v.account_id;
	months := CASE a.period_basis
		WHEN 'issue_date' THEN ARRAY[issued, issued]
		WHEN 'status_on_issue' THEN ARRAY[least(issued, v.billing_month), greatest(issued, v.billing_month)]
		ELSE ARRAY[v.billing_month, v.billing_month] END;
	IF v.kind = 'invoice' AND v.agreement_id IS NOT NULL AND v.requested_po_number IS NOT NULL
		AND naive.same_or_above('marketplace.transaction', v.line_type)
		AND coalesce(v.billing_month > a.closed_through, true)
		AND NOT EXISTS (SELECT FROM model.po_order o WHERE o.account_id = v.account_id AND o.po_number = v.requested_po_number)
		AND EXISTS (SELECT FROM model.seller_type t WHERE t.bill_from = v.bill_from AND t.line_type <> 'all'
					AND naive.same_or_above(t.line_type, 'marketplace.transaction')) THEN
		PERFORM model.apply(jsonb_build_object('op', 'insert_order', 'row', jsonb_build_object('account_id', v.account_id,
			'po_number', v.requested_po_number, 'bill_from', v.bill_from, 'currency', v.currency,
			'effective_month', months[1], 'expiration_month', months[2])));
		PERFORM model.insert_item(jsonb_build_object('account_id', v.account_id, 'po_number', v.requested_po_number,
			'line_number', coalesce(v.requested_line_number, '1'), 'line_type', 'marketplace.transaction',
			'start_month', months[1], 'end_month', months[2], 'amount', v.amount, 'agreement_id', v.agreement_id));
	END IF;
END $$;

/* the association of v: as its original, or by the rules; its own is forgotten */
CREATE FUNCTION decide(INOUT v po_invoice) LANGUAGE plpgsql AS $$
DECLARE
	original model.po_invoice;
	item model.po_line_item;
	follows boolean := false;
BEGIN
	IF v.kind = 'credit_memo' AND v.original_invoice_id IS NOT NULL
		AND EXISTS (SELECT FROM model.po_account a WHERE a.account_id = v.account_id) THEN
		SELECT * INTO original FROM model.po_invoice x
		WHERE x.account_id = v.account_id AND x.bill_from = v.bill_from AND x.invoice_id = v.original_invoice_id;
		follows := FOUND;
	END IF;
	IF follows THEN
		IF original.currency <> v.currency THEN
			PERFORM model.fail('23514', 'currency of the original');
		END IF;
		v.po_number := original.po_number;
		v.line_number := original.line_number;
		v.line_item_id := original.line_item_id;
		v.association_kind := CASE WHEN original.line_item_id IS NOT NULL THEN 'credit' END;
		RETURN;
	END IF;
	PERFORM model.make_order(v);
	SELECT * INTO item FROM model.po_line_item i WHERE i.line_item_id = model.best(v);
	v.po_number := item.po_number;
	v.line_number := item.line_number;
	v.line_item_id := item.line_item_id;
	v.association_kind := CASE WHEN item.line_item_id IS NOT NULL THEN 'automatic' END;
END $$;

-- ---------------------------------------------------------------------------
-- Invoices: insert, conflict, change, delete
-- ---------------------------------------------------------------------------

CREATE FUNCTION check_amount(v po_invoice) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF v.amount <> 0 AND (v.amount < 0) <> (v.kind = 'credit_memo') THEN
		PERFORM model.fail('23514', 'sign');
	END IF;
END $$;

/* it can only become a conflict then, so what would be booked for it does not count */
CREATE FUNCTION is_there(v po_invoice) RETURNS boolean LANGUAGE sql AS
$$ SELECT EXISTS (SELECT FROM model.po_invoice x
		WHERE (x.account_id, x.bill_from, x.invoice_id) = (v.account_id, v.bill_from, v.invoice_id)) $$;

CREATE FUNCTION unbooked(v po_invoice) RETURNS po_invoice LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	v.po_number := NULL;
	v.line_number := NULL;
	v.line_item_id := NULL;
	v.association_kind := NULL;
	RETURN v;
END $$;

/* a row as the BEFORE trigger makes it; nothing is booked yet */
CREATE FUNCTION propose(r jsonb) RETURNS po_invoice LANGUAGE plpgsql AS $$
DECLARE
	v model.po_invoice := jsonb_populate_record(NULL::model.po_invoice, r);
BEGIN
	v.bill_from := model.seller(v.bill_from);
	v.currency := coalesce(upper(v.currency),
		(SELECT a.currency FROM model.po_account a WHERE a.account_id = v.account_id), 'USD');
	v.kind := coalesce(v.kind, CASE WHEN v.amount < 0 THEN 'credit_memo' ELSE 'invoice' END);
	v.requested_po_number := model.trimmed(v.requested_po_number);
	v.requested_line_number := model.trimmed(v.requested_line_number);
	v.po_number := model.trimmed(v.po_number);
	v.line_number := model.trimmed(v.line_number);
	v.void := false;
	v.recorded := nextval('model.tick');
	PERFORM model.check_amount(v);
	IF v.po_number IS NULL AND v.line_number IS NOT NULL THEN
		PERFORM model.fail('23514', 'line without order');
	ELSIF model.is_there(v) THEN
		v := model.unbooked(v);
	ELSIF v.po_number IS NOT NULL THEN
		v := model.by_hand(v, v.po_number, v.line_number);
	ELSE
		v := model.decide(v);
	END IF;
	IF v.line_item_id IS NOT NULL THEN
		PERFORM model.check_open(v.account_id, v.billing_month);
	END IF;
	RETURN v;
END $$;

CREATE FUNCTION change(old po_invoice, new po_invoice) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM model.check_amount(new);
	IF old.line_item_id IS NOT NULL AND
		(new.account_id, new.bill_from, new.invoice_id, new.kind, new.line_type, new.billing_month, new.issued_on,
		 new.currency, new.agreement_id, new.requested_po_number, new.requested_line_number, new.out_of_cycle,
		 new.original_invoice_id) IS DISTINCT FROM
		(old.account_id, old.bill_from, old.invoice_id, old.kind, old.line_type, old.billing_month, old.issued_on,
		 old.currency, old.agreement_id, old.requested_po_number, old.requested_line_number, old.out_of_cycle,
		 old.original_invoice_id) THEN
		PERFORM model.fail('55000', 'associated');
	END IF;
	IF old.line_item_id IS NOT NULL AND old.amount <> new.amount THEN
		PERFORM model.check_open(old.account_id, old.billing_month);
		PERFORM model.book(old.account_id, old.line_item_id, old.bill_from, old.invoice_id, 'correction',
			old.amount - new.amount);	-- amount changed
	END IF;
	DELETE FROM model.po_invoice x
	WHERE (x.account_id, x.bill_from, x.invoice_id) = (old.account_id, old.bill_from, old.invoice_id);
	INSERT INTO model.po_invoice SELECT new.*;
END $$;

/* columns of r replace those of the row; what is not there stays */
CREATE FUNCTION changed(v po_invoice, r jsonb) RETURNS po_invoice LANGUAGE plpgsql AS $$
DECLARE
	n model.po_invoice := jsonb_populate_record(v, r);
BEGIN
	RETURN n;
END $$;

/*
 * What triggers of a user do: see triggers at the end. Those of a row are named
 * by its due_on.
 */
CREATE FUNCTION another(r jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS
$$ SELECT jsonb_build_object('account_id', r->'account_id', 'bill_from', r->'bill_from',
	'invoice_id', (r->>'invoice_id') || 'n', 'line_type', 'usage', 'billing_month', r->'billing_month',
	'issued_on', r->'issued_on', 'amount', 7) $$;

/* the rows of one INSERT; conflict is null, nothing or update */
CREATE FUNCTION insert_rows(rows jsonb, conflict text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	r jsonb;
	v model.po_invoice;
	old model.po_invoice;
	touched text[] := '{}';
	later jsonb := '[]';
	key text;
BEGIN
	FOR r IN SELECT value FROM jsonb_array_elements(rows) LOOP
		CONTINUE WHEN r->>'due_on' = '2000-01-01';		-- dropped by a trigger before ours
		IF r->>'due_on' = '2000-01-05' THEN				-- which inserts another one
			PERFORM model.insert_rows(jsonb_build_array(model.another(r)), 'nothing');
		END IF;
		v := model.propose(r);
		CONTINUE WHEN r->>'due_on' = '2000-01-02';		-- dropped by a trigger after ours
		key := v.account_id || '/' || v.bill_from || '/' || v.invoice_id;
		SELECT * INTO old FROM model.po_invoice x
		WHERE (x.account_id, x.bill_from, x.invoice_id) = (v.account_id, v.bill_from, v.invoice_id);
		IF NOT FOUND THEN
			INSERT INTO model.po_invoice SELECT v.*;
			IF r->>'due_on' = '2000-01-06' THEN			-- a trigger after ours inserts another one, whose entry is the first
				INSERT INTO model.waits VALUES (v.line_item_id, -v.amount);
				UPDATE model.po_line_item SET balance = balance - v.amount WHERE line_item_id = v.line_item_id;
				PERFORM model.insert_rows(jsonb_build_array(model.another(r)), 'nothing');
				UPDATE model.po_line_item SET balance = balance + v.amount WHERE line_item_id = v.line_item_id;
				DELETE FROM model.waits;
			END IF;
			IF v.line_item_id IS NOT NULL THEN
				PERFORM model.book(v.account_id, v.line_item_id, v.bill_from, v.invoice_id, 'association', -v.amount);
			END IF;
			touched := touched || key;
			IF r->>'due_on' = '2000-01-04' THEN			-- an AFTER trigger does
				later := later || model.another(r);
			END IF;
		ELSIF conflict IS NULL THEN
			IF r->>'due_on' = '2000-01-06' THEN			-- before the server looks for the key
				PERFORM model.insert_rows(jsonb_build_array(model.another(r)), 'nothing');
			END IF;
			PERFORM model.fail('23505', 'twice');
		ELSIF conflict = 'update' THEN
			IF key = ANY (touched) THEN
				PERFORM model.fail('21000', 'twice in the statement');
			END IF;
			v.po_number := old.po_number;
			v.line_number := old.line_number;
			v.line_item_id := old.line_item_id;
			v.association_kind := old.association_kind;
			v.void := old.void;
			v.recorded := old.recorded;
			PERFORM model.change(old, v);
			touched := touched || key;
		ELSE
			NULL;	-- do nothing
		END IF;
	END LOOP;
	FOR r IN SELECT value FROM jsonb_array_elements(later) LOOP
		PERFORM model.insert_rows(jsonb_build_array(r), 'nothing');
	END LOOP;
END $$;

/* MERGE: what is matched is what was there before the statement; {"delete": true} in a row deletes, else set */
CREATE FUNCTION merge_rows(rows jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	r jsonb;
	old model.po_invoice;
	there text[];
	touched text[] := '{}';
	key text;
BEGIN
	SELECT coalesce(array_agg(account_id || '/' || bill_from || '/' || invoice_id), '{}') INTO there FROM model.po_invoice;
	FOR r IN SELECT value FROM jsonb_array_elements(rows) LOOP
		key := (r->>'account_id') || '/' || (r->>'bill_from') || '/' || (r->>'invoice_id');
		IF NOT key = ANY (there) THEN
			PERFORM model.insert_rows(jsonb_build_array(r - 'delete'), NULL);
		ELSIF key = ANY (touched) THEN
			PERFORM model.fail('21000', 'twice in the statement');
		ELSE
			SELECT * INTO old FROM model.po_invoice x
			WHERE (x.account_id, x.bill_from, x.invoice_id) = (r->>'account_id', r->>'bill_from', r->>'invoice_id');
			IF (r->>'delete')::boolean THEN
				PERFORM model.remove(old);
			ELSE
				PERFORM model.change(old, model.changed(old, jsonb_build_object('amount', r->'amount')));
			END IF;
			touched := touched || key;
		END IF;
	END LOOP;
END $$;

CREATE FUNCTION remove(v po_invoice) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF v.line_item_id IS NOT NULL THEN
		PERFORM model.check_open(v.account_id, v.billing_month);
		PERFORM model.book(v.account_id, v.line_item_id, v.bill_from, v.invoice_id, 'release', v.amount);	-- deleted
	END IF;
	DELETE FROM model.po_invoice x
	WHERE (x.account_id, x.bill_from, x.invoice_id) = (v.account_id, v.bill_from, v.invoice_id);
END $$;

-- ---------------------------------------------------------------------------
-- Booking anew
-- ---------------------------------------------------------------------------

CREATE FUNCTION rebook(v po_invoice, n po_invoice, make_void boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF v.line_item_id IS NOT NULL OR n.line_item_id IS NOT NULL THEN
		PERFORM model.check_open(v.account_id, v.billing_month);
	END IF;
	IF v.line_item_id IS NOT NULL THEN
		PERFORM model.book(v.account_id, v.line_item_id, v.bill_from, v.invoice_id, 'release', v.amount);	-- given back
	END IF;
	IF n.line_item_id IS NOT NULL THEN
		PERFORM model.book(v.account_id, n.line_item_id, v.bill_from, v.invoice_id, 'association', -v.amount);
	END IF;
	UPDATE model.po_invoice x
	SET po_number = n.po_number, line_number = n.line_number, line_item_id = n.line_item_id,
		association_kind = n.association_kind, void = x.void OR make_void
	WHERE (x.account_id, x.bill_from, x.invoice_id) = (v.account_id, v.bill_from, v.invoice_id);
END $$;

/* where it is already, by hand or not: then nothing moves */
CREATE FUNCTION stays(v po_invoice, n po_invoice) RETURNS boolean LANGUAGE sql IMMUTABLE AS
$$ SELECT v.line_item_id IS NOT DISTINCT FROM n.line_item_id
	AND (coalesce(v.association_kind, '') = 'manual') = (coalesce(n.association_kind, '') = 'manual') $$;

/* credit memos follow v to where n is, and their own memos follow them */
CREATE FUNCTION rebook_followers(v po_invoice, n po_invoice) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	memo model.po_invoice;
	followed model.po_invoice;
BEGIN
	FOR memo IN SELECT * FROM model.po_invoice x
		WHERE x.account_id = v.account_id AND x.bill_from = v.bill_from AND x.original_invoice_id = v.invoice_id
		AND x.kind = 'credit_memo' AND NOT x.void AND x.currency = v.currency
		AND x.association_kind IS DISTINCT FROM 'manual'
		ORDER BY x.recorded LOOP
		followed := memo;
		followed.po_number := n.po_number;
		followed.line_number := n.line_number;
		followed.line_item_id := n.line_item_id;
		followed.association_kind := CASE WHEN n.line_item_id IS NOT NULL THEN 'credit' END;
		IF NOT model.stays(memo, followed) THEN
			PERFORM model.rebook(memo, followed, false);	-- memo follows
			PERFORM model.rebook_followers(memo, followed);	-- and its own
		END IF;
	END LOOP;
END $$;

CREATE FUNCTION rebook_all(v po_invoice, n po_invoice, make_void boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF model.stays(v, n) AND NOT make_void THEN
		RETURN;
	END IF;
	PERFORM model.rebook(v, n, make_void);
	PERFORM model.rebook_followers(v, n);
END $$;

CREATE FUNCTION the_invoice(r jsonb) RETURNS po_invoice LANGUAGE plpgsql AS $$
DECLARE
	v model.po_invoice;
BEGIN
	SELECT * INTO v FROM model.po_invoice x
	WHERE (x.account_id, x.bill_from, x.invoice_id) = (r->>'account_id', model.seller(r->>'bill_from'), r->>'invoice_id');
	IF NOT FOUND THEN
		PERFORM model.fail('P0002', 'no invoice');
	END IF;
	RETURN v;
END $$;

CREATE FUNCTION rebooking(r jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	v model.po_invoice := model.the_invoice(r);
BEGIN
	CASE r->>'op'
	WHEN 'release' THEN
		IF v.line_item_id IS NOT NULL THEN
			PERFORM model.rebook_all(v, model.unbooked(v), false);
		END IF;
	WHEN 'void' THEN
		IF NOT v.void THEN
			PERFORM model.rebook_all(v, model.unbooked(v), true);
		END IF;
	ELSE
		IF v.void THEN
			PERFORM model.fail('55000', 'void');
		END IF;
		IF r->>'op' = 'assign' THEN
			PERFORM model.rebook_all(v, model.by_hand(v, model.trimmed(r->>'po_number'), model.trimmed(r->>'line_number')), false);
		ELSIF v.association_kind IS DISTINCT FROM 'manual' OR (r->>'force')::boolean THEN
			PERFORM model.rebook_all(v, model.decide(v), false);
		END IF;
	END CASE;
END $$;

/* would it be an error to match it, for itself, a memo of it, or a memo of that? */
CREATE FUNCTION is_stuck(v po_invoice) RETURNS boolean LANGUAGE sql AS $$
	WITH RECURSIVE follower AS (
		SELECT v.invoice_id, v.billing_month
		UNION
		SELECT m.invoice_id, m.billing_month
		FROM follower f JOIN model.po_invoice m ON m.account_id = v.account_id AND m.bill_from = v.bill_from
			AND m.original_invoice_id = f.invoice_id
		WHERE m.kind = 'credit_memo' AND NOT m.void AND m.currency = v.currency
		AND m.association_kind IS DISTINCT FROM 'manual')
	SELECT EXISTS (SELECT FROM model.po_invoice o
				   WHERE v.kind = 'credit_memo' AND o.account_id = v.account_id AND o.bill_from = v.bill_from
				   AND o.invoice_id = v.original_invoice_id AND o.currency <> v.currency)		-- not its original's
		OR EXISTS (SELECT FROM model.po_account a JOIN follower f ON f.billing_month <= a.closed_through
				   WHERE a.account_id = v.account_id)
$$;

CREATE FUNCTION rematch_unassociated(account text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	seen model.po_invoice;
	v model.po_invoice;
BEGIN
	FOR seen IN SELECT x.* FROM model.po_invoice x JOIN model.po_account a ON a.account_id = x.account_id
		WHERE x.line_item_id IS NULL AND NOT x.void AND (account IS NULL OR x.account_id = account)
		ORDER BY x.account_id, x.issued_on, x.recorded, x.invoice_id LOOP
		SELECT * INTO v FROM model.po_invoice x
		WHERE (x.account_id, x.bill_from, x.invoice_id) = (seen.account_id, seen.bill_from, seen.invoice_id);
		IF v.line_item_id IS NULL AND NOT model.is_stuck(v) THEN
			PERFORM model.rebook_all(v, model.decide(v), false);
		END IF;
	END LOOP;
END $$;

-- ---------------------------------------------------------------------------
-- Configuration
-- ---------------------------------------------------------------------------

CREATE FUNCTION touch(account text, number text) RETURNS void LANGUAGE sql AS
$$ UPDATE model.po_order SET updated_at = nextval('model.tick') WHERE account_id = account AND po_number = number $$;

CREATE FUNCTION check_item(i po_line_item, new_type boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	o model.po_order;
BEGIN
	IF i.start_month > i.end_month THEN
		PERFORM model.fail('23514', 'months');
	END IF;
	IF least(i.amount, i.quantity, i.tax, i.consumed_before) < 0 THEN
		PERFORM model.fail('23514', 'negative');
	END IF;
	SELECT * INTO o FROM model.po_order x WHERE x.account_id = i.account_id AND x.po_number = i.po_number;
	IF NOT FOUND THEN
		PERFORM model.fail('23503', 'no order');
	END IF;
	IF i.start_month < o.effective_month OR i.end_month > o.expiration_month THEN
		PERFORM model.fail('23514', 'outside of the order');
	END IF;
	IF i.balance_tracked AND naive.same_or_above('marketplace.transaction', i.line_type) THEN
		PERFORM model.fail('23514', 'not to be tracked');
	END IF;
	IF new_type AND i.line_type <> 'all'
		AND NOT EXISTS (SELECT FROM model.seller_type t
						WHERE t.bill_from = o.bill_from AND t.line_type <> 'all'
						AND naive.same_or_above(t.line_type, i.line_type)) THEN
		PERFORM model.fail('23514', 'not billed');
	END IF;
END $$;

CREATE FUNCTION insert_item(r jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	i model.po_line_item := jsonb_populate_record(NULL::model.po_line_item,
		'{"balance_tracked": false, "quantity": 1, "tax": 0, "tax_kind": "absolute", "consumed_before": 0}' || r);
BEGIN
	PERFORM model.check_item(i, true);
	i.line_item_id := nextval('model.item_id');
	i.balance := CASE WHEN i.balance_tracked THEN 0 END;
	INSERT INTO model.po_line_item SELECT i.*;
	PERFORM model.log(i.account_id, i.po_number, i.line_number, NULL, to_jsonb(i));
	IF i.balance_tracked THEN
		PERFORM model.book(i.account_id, i.line_item_id, NULL, NULL, 'opening', model.net(i));
	END IF;
	PERFORM model.touch(i.account_id, i.po_number);
END $$;

CREATE FUNCTION booked(item bigint) RETURNS numeric LANGUAGE sql STABLE AS
$$ SELECT coalesce(sum(amount), 0) FROM model.po_invoice WHERE line_item_id = item $$;

CREATE FUNCTION entered(item bigint) RETURNS numeric LANGUAGE sql STABLE AS
$$ SELECT coalesce(sum(amount), 0) FROM model.po_ledger WHERE line_item_id = item $$;

CREATE FUNCTION change_item(old po_line_item, r jsonb) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	new model.po_line_item := jsonb_populate_record(old, r);
BEGIN
	IF new::text = old::text THEN
		RETURN false;
	END IF;
	PERFORM model.check_item(new, new.line_type <> old.line_type);
	IF new.line_number <> old.line_number
		AND EXISTS (SELECT FROM model.po_invoice v WHERE v.line_item_id = old.line_item_id) THEN
		PERFORM model.fail('55000', 'number in use');
	END IF;
	IF NOT new.balance_tracked THEN
		new.balance := NULL;
	ELSIF NOT old.balance_tracked THEN
		new.balance := model.net(new) - model.booked(old.line_item_id);		-- tracking on
	ELSE
		new.balance := old.balance + model.net(new) - model.net(old);		-- edited
	END IF;
	IF old.balance_tracked AND new.balance_tracked THEN
		IF new.balance <> old.balance THEN
			INSERT INTO model.po_ledger VALUES (old.account_id, old.line_item_id, NULL, NULL, 'edited', new.balance - old.balance);
		END IF;
	ELSIF old.balance_tracked OR new.balance_tracked THEN
		INSERT INTO model.po_ledger VALUES (old.account_id, old.line_item_id, NULL, NULL, 'tracking',
			coalesce(new.balance - model.entered(old.line_item_id), 0));
	END IF;
	DELETE FROM model.po_line_item i WHERE i.line_item_id = old.line_item_id;
	INSERT INTO model.po_line_item SELECT new.*;
	PERFORM model.tell(old, new);	-- edited
	PERFORM model.log(new.account_id, new.po_number, new.line_number, to_jsonb(old), to_jsonb(new));	-- item logged
	RETURN true;
END $$;

CREATE FUNCTION delete_item(i po_line_item) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO model.po_ledger VALUES (i.account_id, i.line_item_id, NULL, NULL, 'closed', coalesce(-i.balance, 0));
	DELETE FROM model.po_line_item x WHERE x.line_item_id = i.line_item_id;
	PERFORM model.log(i.account_id, i.po_number, i.line_number, to_jsonb(i), NULL);
END $$;

CREATE FUNCTION change_order(r jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	old model.po_order;
	new model.po_order;
BEGIN
	SELECT * INTO old FROM model.po_order o WHERE o.account_id = r->>'account_id' AND o.po_number = r->>'po_number';
	IF NOT FOUND THEN
		RETURN;
	END IF;
	new := jsonb_populate_record(old, r);
	IF new::text = old::text THEN
		RETURN;
	END IF;
	IF new.effective_month > new.expiration_month THEN
		PERFORM model.fail('23514', 'months');
	END IF;
	IF (new.bill_from, new.currency) IS DISTINCT FROM (old.bill_from, old.currency)
		AND EXISTS (SELECT FROM model.po_invoice v JOIN model.po_line_item i USING (line_item_id)
					WHERE i.account_id = old.account_id AND i.po_number = old.po_number) THEN
		PERFORM model.fail('55000', 'associated');
	END IF;
	IF (new.effective_month, new.expiration_month) IS DISTINCT FROM (old.effective_month, old.expiration_month)
		AND EXISTS (SELECT FROM model.po_line_item i WHERE i.account_id = old.account_id AND i.po_number = old.po_number
					AND (i.start_month < new.effective_month OR i.end_month > new.expiration_month)) THEN
		PERFORM model.fail('23514', 'line items outside');
	END IF;
	DELETE FROM model.po_order o WHERE o.account_id = old.account_id AND o.po_number = old.po_number;
	new.updated_at := nextval('model.tick');
	INSERT INTO model.po_order SELECT new.*;
	PERFORM model.log(new.account_id, new.po_number, NULL, to_jsonb(old), to_jsonb(new));
END $$;

-- ---------------------------------------------------------------------------
-- All operations
-- ---------------------------------------------------------------------------

CREATE FUNCTION apply(r jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	child jsonb;
	v model.po_invoice;
	i model.po_line_item;
	o model.po_order;
	n integer;
BEGIN
	CASE r->>'op'
	WHEN 'nothing' THEN NULL;
	WHEN 'error' THEN
		PERFORM model.fail(r->>'code', 'as the statement says');
	WHEN 'list' THEN
		FOR child IN SELECT value FROM jsonb_array_elements(r->'of') LOOP
			PERFORM model.apply(child);
		END LOOP;
	WHEN 'block' THEN		-- with an exception handler that does nothing
		BEGIN
			FOR child IN SELECT value FROM jsonb_array_elements(r->'of') LOOP
				PERFORM model.apply(child);
			END LOOP;
		EXCEPTION WHEN OTHERS THEN NULL;
		END;
	WHEN 'insert' THEN
		PERFORM model.insert_rows(r->'rows', r->>'conflict');
	WHEN 'merge' THEN
		PERFORM model.merge_rows(r->'rows');
	WHEN 'release', 'void', 'assign', 'rematch' THEN
		PERFORM model.rebooking(r);
	WHEN 'rematch_unassociated' THEN
		PERFORM model.rematch_unassociated(r->>'account_id');
	WHEN 'update_invoices' THEN		-- of an account, those of a list of numbers or all; set, or add to the amount
		FOR v IN SELECT * FROM model.po_invoice x WHERE x.account_id = r->>'account_id'
			AND (r->'ids' IS NULL OR r->'ids' ? x.invoice_id)
			AND (r->'kind' IS NULL OR x.kind = r->>'kind')
			AND (r->'month' IS NULL OR x.billing_month = r->>'month') LOOP
			INSERT INTO model.any_order VALUES (v.account_id, v.po_number, v.line_number);
			PERFORM model.change(v, model.changed(v, CASE WHEN r->'times' IS NOT NULL
				THEN jsonb_build_object('amount', v.amount * (r->>'times')::numeric) ELSE r->'set' END));
		END LOOP;
	WHEN 'delete_invoices' THEN
		FOR v IN SELECT * FROM model.po_invoice x WHERE x.account_id = r->>'account_id'
			AND (r->'ids' IS NULL OR r->'ids' ? x.invoice_id)
			AND (r->'month' IS NULL OR x.billing_month = r->>'month') LOOP
			INSERT INTO model.any_order VALUES (v.account_id, v.po_number, v.line_number);
			PERFORM model.remove(v);
		END LOOP;
	WHEN 'forbidden' THEN		-- an association column written by hand
		IF EXISTS (SELECT FROM model.po_invoice x WHERE x.account_id = r->>'account_id' AND x.invoice_id = r->>'invoice_id') THEN
			PERFORM model.fail('42501', 'written by po_mgmt only');
		END IF;
	WHEN 'insert_items' THEN
		FOR child IN SELECT value FROM jsonb_array_elements(r->'rows') LOOP
			PERFORM model.insert_item(child);
		END LOOP;
	WHEN 'update_items' THEN
		n := 0;
		FOR i IN SELECT * FROM model.po_line_item x WHERE x.account_id = r->>'account_id' AND x.po_number = r->>'po_number'
			AND (r->'line_number' IS NULL OR x.line_number = r->>'line_number') LOOP
			n := n + model.change_item(i, r->'set')::integer;
		END LOOP;
		IF n > 0 THEN
			PERFORM model.touch(r->>'account_id', r->>'po_number');
		END IF;
	WHEN 'delete_items' THEN
		n := 0;
		FOR i IN SELECT * FROM model.po_line_item x WHERE x.account_id = r->>'account_id' AND x.po_number = r->>'po_number'
			AND (r->'line_number' IS NULL OR x.line_number = r->>'line_number') LOOP
			PERFORM model.delete_item(i);
			n := n + 1;
		END LOOP;
		IF n > 0 THEN
			PERFORM model.touch(r->>'account_id', r->>'po_number');
		END IF;
	WHEN 'insert_order' THEN
		INSERT INTO model.po_account (account_id) VALUES (r->'row'->>'account_id') ON CONFLICT DO NOTHING;
		o := jsonb_populate_record(NULL::model.po_order, '{"status": "active"}' || (r->'row'));
		o.currency := coalesce(o.currency, (SELECT a.currency FROM model.po_account a WHERE a.account_id = o.account_id));
		IF o.effective_month > o.expiration_month THEN
			PERFORM model.fail('23514', 'months');
		END IF;
		o.updated_at := nextval('model.tick');
		INSERT INTO model.po_order SELECT o.*;
		PERFORM model.log(o.account_id, o.po_number, NULL, NULL, to_jsonb(o));
	WHEN 'update_order' THEN
		PERFORM model.change_order(r->'row');
	WHEN 'status' THEN
		IF NOT EXISTS (SELECT FROM model.po_order x WHERE x.account_id = r->>'account_id' AND x.po_number = r->>'po_number') THEN
			PERFORM model.fail('23503', 'no order');
		END IF;
		PERFORM model.change_order(r - 'op');
	WHEN 'extend' THEN
		SELECT * INTO o FROM model.po_order x WHERE x.account_id = r->>'account_id' AND x.po_number = r->>'po_number';
		IF NOT FOUND THEN
			PERFORM model.fail('23503', 'no order');
		END IF;
		IF r->>'month' < o.expiration_month THEN
			PERFORM model.fail('22023', 'does not extend');
		END IF;
		PERFORM model.change_order(jsonb_build_object('account_id', o.account_id, 'po_number', o.po_number, 'expiration_month', r->'month'));
		IF (r->>'line_items')::boolean THEN
			n := 0;
			FOR i IN SELECT * FROM model.po_line_item x WHERE x.account_id = o.account_id AND x.po_number = o.po_number
				AND x.end_month = o.expiration_month LOOP
				n := n + model.change_item(i, jsonb_build_object('end_month', r->'month'))::integer;
			END LOOP;
			IF n > 0 THEN
				PERFORM model.touch(o.account_id, o.po_number);
			END IF;
		END IF;
	WHEN 'delete_order' THEN
		FOR i IN SELECT * FROM model.po_line_item x WHERE x.account_id = r->>'account_id' AND x.po_number = r->>'po_number' LOOP
			PERFORM model.delete_item(i);
		END LOOP;
		DELETE FROM model.po_contact x WHERE x.account_id = r->>'account_id' AND x.po_number = r->>'po_number';
		DELETE FROM model.po_notification x WHERE x.account_id = r->>'account_id' AND x.po_number = r->>'po_number';
		FOR o IN SELECT * FROM model.po_order x WHERE x.account_id = r->>'account_id' AND x.po_number = r->>'po_number' LOOP
			DELETE FROM model.po_order x WHERE x.account_id = o.account_id AND x.po_number = o.po_number;
			PERFORM model.log(o.account_id, o.po_number, NULL, to_jsonb(o), NULL);
		END LOOP;
	WHEN 'archive' THEN		-- what was recorded in closed months before a month, of an account or of all
		UPDATE model.po_ledger l SET archived = true FROM model.po_account a
		WHERE a.account_id = l.account_id AND a.account_id = coalesce(r->>'account_id', a.account_id)
		AND l.month < r->>'before' AND l.month <= a.closed_through;		-- entries archived
		UPDATE model.po_change_log l SET archived = true FROM model.po_account a
		WHERE a.account_id = l.account_id AND a.account_id = coalesce(r->>'account_id', a.account_id)
		AND l.month < r->>'before' AND l.month <= a.closed_through;		-- changes archived
	WHEN 'contact' THEN
		IF NOT EXISTS (SELECT FROM model.po_order x WHERE x.account_id = r->>'account_id' AND x.po_number = r->>'po_number') THEN
			PERFORM model.fail('23503', 'no order');
		END IF;
		INSERT INTO model.po_contact SELECT r->>'account_id', r->>'po_number', r->>'email' ON CONFLICT DO NOTHING;
	WHEN 'delete_contacts' THEN
		DELETE FROM model.po_contact x WHERE x.account_id = r->>'account_id' AND x.po_number = r->>'po_number';
	WHEN 'account' THEN
		SELECT to_jsonb(a) INTO child FROM model.po_account a WHERE a.account_id = r->>'account_id';
		UPDATE model.po_account a
		SET closed_through = CASE WHEN r->'set' ? 'closed_through' THEN r->'set'->>'closed_through' ELSE a.closed_through END,
			period_basis = coalesce(r->'set'->>'period_basis', a.period_basis),
			currency = coalesce(r->'set'->>'currency', a.currency),
			alert_thresholds = coalesce((r->'set'->>'alert_thresholds')::numeric[], a.alert_thresholds)
		WHERE a.account_id = r->>'account_id';
		PERFORM model.log(a.account_id, NULL, NULL, child, to_jsonb(a)) FROM model.po_account a
		WHERE a.account_id = r->>'account_id' AND to_jsonb(a) <> child;
	END CASE;
END $$;

/* does it, or leaves nothing of it; which error the extension should give, 00000 for none */
CREATE FUNCTION predict(r jsonb) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM model.apply(r);
	RETURN '00000';
EXCEPTION WHEN OTHERS THEN
	IF SQLSTATE NOT IN ('55000', '42501', '23503', '23505', '23514', '21000', 'P0002', '22023', '22012', '22P02') THEN
		RAISE;
	END IF;
	RETURN SQLSTATE;
END $$;

-- ---------------------------------------------------------------------------
-- Comparison. Only here the extension's tables are read.
-- ---------------------------------------------------------------------------

CREATE FUNCTION learn_ids() RETURNS void LANGUAGE sql AS $$
	DELETE FROM model.theirs t
	WHERE NOT EXISTS (SELECT FROM model.po_ledger l WHERE l.line_item_id = t.line_item_id)
	AND NOT EXISTS (SELECT FROM model.po_line_item i WHERE i.line_item_id = t.line_item_id);
	INSERT INTO model.theirs
	SELECT i.line_item_id, p.line_item_id, i.account_id
	FROM model.po_line_item i
	JOIN po.po_line_item p USING (account_id, po_number, line_number)
	WHERE NOT EXISTS (SELECT FROM model.theirs t WHERE t.line_item_id = i.line_item_id)
$$;

CREATE VIEW state AS
SELECT 'account ' || account_id AS what, concat_ws(' ', currency, period_basis, coalesce(closed_through, '-')) AS value
FROM model.po_account
UNION ALL
SELECT 'order ' || account_id || ' ' || po_number, concat_ws(' ', bill_from, status, effective_month, expiration_month, currency,
	coalesce(description, '-'), 'recency', rank() OVER (PARTITION BY account_id ORDER BY updated_at))
FROM model.po_order
UNION ALL
SELECT 'item ' || i.account_id || ' ' || po_number || ' ' || line_number,
	concat_ws(' ', their_id, line_type, start_month, end_month, balance_tracked, i.amount, quantity, tax, tax_kind,
		consumed_before, 'balance', coalesce(trim_scale(balance)::text, '-'))
FROM model.po_line_item i LEFT JOIN model.theirs t USING (line_item_id)
UNION ALL
SELECT 'invoice ' || i.account_id || ' ' || bill_from || ' ' || invoice_id,
	concat_ws(' ', kind, line_type, billing_month, issued_on, trim_scale(amount), currency, coalesce(agreement_id, '-'),
		coalesce(requested_po_number, '-'), coalesce(requested_line_number, '-'), coalesce(out_of_cycle::text, '-'),
		coalesce(original_invoice_id, '-'), 'on', coalesce(po_number, '-'), coalesce(line_number, '-'),
		CASE WHEN line_item_id IS NULL THEN '-' ELSE coalesce(their_id::text, '?') END,
		coalesce(association_kind, '-'), CASE WHEN void THEN 'void' END)
FROM model.po_invoice i LEFT JOIN model.theirs t USING (line_item_id)
UNION ALL
SELECT 'ledger ' || l.account_id || ' ' || coalesce(their_id::text, '?') || ' ' || coalesce(bill_from, '-') || ' '
	|| coalesce(invoice_id, '-') || ' ' || entry_kind, count(*) || ' of ' || trim_scale(sum(amount))
FROM model.po_ledger l LEFT JOIN model.theirs t USING (line_item_id)
GROUP BY l.account_id, their_id, bill_from, invoice_id, entry_kind
UNION ALL
SELECT 'archive ' || l.account_id || ' ' || coalesce(their_id::text, '?'), count(*) || ' of ' || trim_scale(sum(amount))
FROM model.po_ledger l LEFT JOIN model.theirs t USING (line_item_id)
WHERE archived
GROUP BY l.account_id, their_id
UNION ALL		-- the ledger alone has as many entries as are not archived, and adds up to what all of them do
SELECT 'ledger ' || l.account_id || ' ' || coalesce(their_id::text, '?'),
	count(*) FILTER (WHERE NOT archived) || ' of ' || trim_scale(sum(amount))
FROM model.po_ledger l LEFT JOIN model.theirs t USING (line_item_id)
WHERE NOT archived OR EXISTS (SELECT FROM model.po_line_item i WHERE i.line_item_id = l.line_item_id)
	OR EXISTS (SELECT FROM model.po_ledger x WHERE x.line_item_id = l.line_item_id AND NOT x.archived)
	OR EXISTS (SELECT FROM model.po_invoice v WHERE v.line_item_id = l.line_item_id)
GROUP BY l.account_id, their_id
UNION ALL
SELECT 'changes ' || account_id, count(*) FILTER (WHERE archived) || ' of them archived'
FROM model.po_change_log
GROUP BY account_id
UNION ALL
SELECT 'notifications ' || account_id || ' ' || po_number || ' ' || line_number,
	string_agg(trim_scale(threshold) || ' ' || recipients::text, ', ' ORDER BY notification_id)
FROM model.po_notification
GROUP BY account_id, po_number, line_number
UNION ALL
SELECT concat_ws(' ', 'change', account_id, coalesce(po_number, '-'), coalesce(line_number, '-')),
	string_agg(concat_ws(' ', operation, old, new), E'\n' ORDER BY change)
FROM model.po_change_log
GROUP BY account_id, po_number, line_number;

CREATE VIEW their_state AS
SELECT 'account ' || account_id AS what, concat_ws(' ', currency, period_basis, coalesce(closed_through::text, '-')) AS value
FROM po.po_account
UNION ALL
SELECT 'order ' || account_id || ' ' || po_number, concat_ws(' ', bill_from, status, effective_month, expiration_month, currency,
	coalesce(description, '-'), 'recency', rank() OVER (PARTITION BY account_id ORDER BY updated_at))
FROM po.po_order
UNION ALL
SELECT 'item ' || account_id || ' ' || po_number || ' ' || line_number,
	concat_ws(' ', line_item_id, line_type, start_month, end_month, balance_tracked, amount, quantity, tax, tax_kind,
		consumed_before, 'balance', coalesce(trim_scale(balance)::text, '-'))
FROM po.po_line_item
UNION ALL
SELECT 'invoice ' || account_id || ' ' || bill_from || ' ' || invoice_id,
	concat_ws(' ', kind, line_type, billing_month, issued_on, trim_scale(amount), currency, coalesce(agreement_id, '-'),
		coalesce(requested_po_number, '-'), coalesce(requested_line_number, '-'), coalesce(out_of_cycle::text, '-'),
		coalesce(original_invoice_id, '-'), 'on', coalesce(po_number, '-'), coalesce(line_number, '-'),
		CASE WHEN line_item_id IS NULL THEN '-' ELSE line_item_id::text END,
		coalesce(association_kind, '-'), CASE WHEN voided_at IS NOT NULL THEN 'void' END)
FROM po.po_invoice
UNION ALL
SELECT 'ledger ' || account_id || ' ' || line_item_id || ' ' || coalesce(bill_from, '-') || ' '
	|| coalesce(invoice_id, '-') || ' ' || entry_kind, count(*) || ' of ' || trim_scale(sum(amount))
FROM po.po_ledger_all
GROUP BY account_id, line_item_id, bill_from, invoice_id, entry_kind
UNION ALL
SELECT 'archive ' || account_id || ' ' || line_item_id, count(*) || ' of ' || trim_scale(sum(amount))
FROM po.po_ledger_archive
GROUP BY account_id, line_item_id
UNION ALL
SELECT 'ledger ' || account_id || ' ' || line_item_id,
	count(*) FILTER (WHERE entry_kind <> 'carried') || ' of ' || trim_scale(sum(amount))
FROM po.po_ledger
GROUP BY account_id, line_item_id
UNION ALL
SELECT 'changes ' || account_id, count(archived) || ' of them archived'
FROM po.po_change_log_all l
LEFT JOIN (SELECT change_id AS archived FROM po.po_change_log_archive) a ON a.archived = l.change_id
GROUP BY account_id
UNION ALL
SELECT 'notifications ' || account_id || ' ' || po_number || ' ' || line_number,
	string_agg(trim_scale(threshold) || ' ' || recipients::text, ', ' ORDER BY notification_id)
FROM po.po_notification
GROUP BY account_id, po_number, line_number
UNION ALL
SELECT concat_ws(' ', 'change', account_id, coalesce(po_number, '-'), coalesce(line_number, '-')),
	string_agg(concat_ws(' ', operation, old - not_modelled, new - not_modelled), E'\n' ORDER BY change_id)
FROM po.po_change_log_all, (SELECT '{line_item_id,agreement_moved_to,ship_to,source,tags}'::text[] AS not_modelled) n
GROUP BY account_id, po_number, line_number;

/* null if both have the same; else where they differ */
CREATE FUNCTION differences(with_integrity boolean) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	PERFORM model.learn_ids();
	SELECT string_agg(what || E'\n    model:     ' || coalesce(m, 'nothing') || E'\n    extension: ' || coalesce(t, 'nothing'), E'\n' ORDER BY what)
	INTO answer
	FROM (SELECT what, min(value) FILTER (WHERE ours) AS m, min(value) FILTER (WHERE NOT ours) AS t
		  FROM (SELECT true AS ours, what, value FROM model.state
				UNION ALL SELECT false, what, value FROM model.their_state) both_of
		  GROUP BY what
		  HAVING min(value) FILTER (WHERE ours) IS DISTINCT FROM min(value) FILTER (WHERE NOT ours)) d;
	IF with_integrity THEN
		answer := nullif(concat_ws(E'\n', answer,
			(SELECT string_agg('po_check_integrity: ' || c::text, E'\n') FROM po.po_check_integrity() c)), '');
	END IF;
	RETURN answer;
END $$;

/*
 * What is booked is what po_explain_invoice() has as selected: first by the
 * rules, with the configuration and balances of that moment, where it was
 * booked by them. Null if all is so. Left out: what a trigger that fires
 * between ours and the table booked, and the row that fired it, since their
 * entries in the ledger are not in the order in which they were decided.
 */
CREATE FUNCTION unexplained() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', v.account_id, v.bill_from, v.invoice_id, v.association_kind, 'on', v.po_number, v.line_number,
		'is explained by', coalesce(e.said, 'nothing')), E'\n')
	FROM po.po_invoice v, LATERAL (
		SELECT string_agg(concat_ws(' ', x.po_number, x.line_number, 'rank', x.rank, x.outcome, x.reason), E'\n\t') AS said,
			count(*) FILTER (WHERE x.outcome = 'selected') = 1
			AND bool_or(x.outcome = 'selected' AND x.po_number = v.po_number AND x.line_number = v.line_number
				AND x.reason NOT LIKE '%not known any more%'
				AND (x.rank = 1 OR v.association_kind <> 'automatic')) AS good
		FROM po.po_explain_invoice(v.account_id, v.bill_from, v.invoice_id) x
		WHERE x.rank = 1 OR x.outcome = 'selected') e
	WHERE v.line_item_id IS NOT NULL AND NOT coalesce(e.good, false) AND v.invoice_id !~ 'n$'
	AND NOT EXISTS (SELECT FROM po.po_invoice n WHERE (n.account_id, n.bill_from, n.invoice_id) = (v.account_id, v.bill_from, v.invoice_id || 'n'))
$$;

/*
 * An UPDATE or DELETE takes the rows as they lie. Where it moved a balance more
 * than once, what it told on the way is taken as it is.
 */
CREATE FUNCTION forget_order() RETURNS void LANGUAGE sql AS $$
	WITH moved AS (
		SELECT account_id, po_number, line_number FROM model.any_order
		WHERE po_number IS NOT NULL GROUP BY account_id, po_number, line_number HAVING count(*) > 1
	), forgotten AS (
		DELETE FROM model.po_notification n USING moved
		WHERE (n.account_id, n.po_number, n.line_number) = (moved.account_id, moved.po_number, moved.line_number)
	)
	INSERT INTO model.po_notification (account_id, po_number, line_number, threshold, recipients)
	SELECT account_id, po_number, line_number, threshold, recipients
	FROM po.po_notification JOIN moved USING (account_id, po_number, line_number) ORDER BY notification_id;
	DELETE FROM model.any_order
$$;

/* what is wrong after a step, null if nothing is */
CREATE FUNCTION verdict(predicted text, got text, any_error boolean, with_integrity boolean) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	IF predicted <> got AND NOT (any_error AND predicted <> '00000' AND got <> '00000') THEN
		RETURN format('model: %s, extension: %s', predicted, got);
	END IF;
	PERFORM model.forget_order();
	RETURN model.differences(with_integrity);
END $$;

-- ---------------------------------------------------------------------------
-- A user's triggers on the extension's po_invoice, before and after ours by name
-- ---------------------------------------------------------------------------

CREATE FUNCTION user_insert(v po.po_invoice) RETURNS void LANGUAGE sql AS $$
	INSERT INTO po.po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, issued_on, amount)
	VALUES (v.account_id, v.bill_from, v.invoice_id || 'n', 'usage', v.billing_month, v.issued_on, 7)
	ON CONFLICT DO NOTHING
$$;

CREATE FUNCTION user_trigger() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	CASE
	WHEN TG_ARGV[0] = 'early' AND NEW.due_on = '2000-01-01' THEN RETURN NULL;
	WHEN TG_ARGV[0] = 'late' AND NEW.due_on = '2000-01-02' THEN RETURN NULL;
	WHEN NEW.due_on = '2000-01-03' THEN		-- a subtransaction that fails
		BEGIN
			PERFORM 1 / (length(NEW.invoice_id) - length(NEW.invoice_id));
		EXCEPTION WHEN division_by_zero THEN NULL;
		END;
	WHEN TG_ARGV[0] = 'after' AND NEW.due_on = '2000-01-04' THEN PERFORM model.user_insert(NEW);
	WHEN TG_ARGV[0] = 'early' AND NEW.due_on = '2000-01-05' THEN PERFORM model.user_insert(NEW);
	WHEN TG_ARGV[0] = 'late' AND NEW.due_on = '2000-01-06' THEN PERFORM model.user_insert(NEW);
	ELSE NULL;
	END CASE;
	RETURN NEW;
END $$;

/* a table of invoices that was there before, with a trigger of its own */
CREATE TABLE mine (LIKE po.po_invoice, conflict text);
DO $$
DECLARE
	c text;
BEGIN
	FOR c IN SELECT attname FROM pg_attribute WHERE attrelid = 'mine'::regclass AND attnum > 0 LOOP
		EXECUTE format('ALTER TABLE mine ALTER %I DROP NOT NULL', c);
	END LOOP;
END $$;
CREATE FUNCTION mine_trigger() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.conflict = 'nothing' THEN
		INSERT INTO po.po_invoice (account_id, bill_from, invoice_id, kind, line_type, billing_month, issued_on, due_on, amount, currency,
			agreement_id, requested_po_number, requested_line_number, out_of_cycle, original_invoice_id, po_number, line_number)
		VALUES (NEW.account_id, NEW.bill_from, NEW.invoice_id, NEW.kind, NEW.line_type, NEW.billing_month, NEW.issued_on, NEW.due_on, NEW.amount, NEW.currency,
			NEW.agreement_id, NEW.requested_po_number, NEW.requested_line_number, NEW.out_of_cycle, NEW.original_invoice_id, NEW.po_number, NEW.line_number)
		ON CONFLICT DO NOTHING;
	ELSE
		INSERT INTO po.po_invoice (account_id, bill_from, invoice_id, kind, line_type, billing_month, issued_on, due_on, amount, currency,
			agreement_id, requested_po_number, requested_line_number, out_of_cycle, original_invoice_id, po_number, line_number)
		VALUES (NEW.account_id, NEW.bill_from, NEW.invoice_id, NEW.kind, NEW.line_type, NEW.billing_month, NEW.issued_on, NEW.due_on, NEW.amount, NEW.currency,
			NEW.agreement_id, NEW.requested_po_number, NEW.requested_line_number, NEW.out_of_cycle, NEW.original_invoice_id, NEW.po_number, NEW.line_number);
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER associate AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION mine_trigger();
CREATE TABLE sink (n bigint);

CREATE TRIGGER early BEFORE INSERT ON po.po_invoice FOR EACH ROW WHEN (NEW.due_on < '2001-01-01')
	EXECUTE FUNCTION user_trigger('early');
CREATE TRIGGER "~zz_late" BEFORE INSERT ON po.po_invoice FOR EACH ROW WHEN (NEW.due_on < '2001-01-01')
	EXECUTE FUNCTION user_trigger('late');
CREATE TRIGGER later AFTER INSERT ON po.po_invoice FOR EACH ROW WHEN (NEW.due_on < '2001-01-01')
	EXECUTE FUNCTION user_trigger('after');
RESET search_path;
