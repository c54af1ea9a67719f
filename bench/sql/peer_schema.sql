-- What somebody would write instead: tables. Months are integers (year * 12 + month - 1).
CREATE SCHEMA peer;
SET search_path = peer;
CREATE TABLE po_seller(code text COLLATE "C" PRIMARY KEY, name text);
CREATE TABLE po_line_type(code text COLLATE "C" PRIMARY KEY, parent text COLLATE "C", depth int NOT NULL,
  ancestors text[] COLLATE "C" NOT NULL); -- root first, self last
INSERT INTO po_line_type VALUES
  ('all', NULL, 1, '{all}'), ('usage', 'all', 2, '{all,usage}'), ('subscription', 'all', 2, '{all,subscription}'),
  ('marketplace', 'all', 2, '{all,marketplace}'),
  ('marketplace.transaction', 'marketplace', 3, '{all,marketplace,marketplace.transaction}'),
  ('professional_services', 'all', 2, '{all,professional_services}');
CREATE TABLE po_account(account_id text COLLATE "C" PRIMARY KEY, name text) WITH (fillfactor = 90);
CREATE TABLE po_order(account_id text COLLATE "C" NOT NULL, po_number text COLLATE "C" NOT NULL,
  bill_from text COLLATE "C" NOT NULL, status text COLLATE "C" NOT NULL CHECK (status IN ('active', 'suspended')),
  effective_month int NOT NULL, expiration_month int NOT NULL, currency char(3) COLLATE "C" NOT NULL,
  updated_at timestamptz NOT NULL, PRIMARY KEY (account_id, po_number));
CREATE TABLE po_line_item(account_id text COLLATE "C" NOT NULL, po_number text COLLATE "C" NOT NULL, line_number int NOT NULL,
  line_type text COLLATE "C" NOT NULL, start_month int NOT NULL, end_month int NOT NULL, tracked bool NOT NULL,
  total_value numeric, balance numeric, PRIMARY KEY (account_id, po_number, line_number)) WITH (fillfactor = 90);
CREATE TABLE po_invoice(account_id text COLLATE "C" NOT NULL, invoice_id text COLLATE "C" NOT NULL,
  bill_from text COLLATE "C" NOT NULL, line_type text COLLATE "C" NOT NULL, billing_month int NOT NULL,
  amount numeric NOT NULL, currency char(3) COLLATE "C" NOT NULL, issued_on date NOT NULL,
  po_number text COLLATE "C", line_number int, PRIMARY KEY (account_id, invoice_id));
CREATE TABLE po_ledger(account_id text COLLATE "C" NOT NULL, po_number text COLLATE "C" NOT NULL, line_number int NOT NULL,
  invoice_id text COLLATE "C" NOT NULL, amount numeric NOT NULL, balance_after numeric, at timestamptz NOT NULL DEFAULT now());
CREATE INDEX po_ledger_line ON po_ledger(account_id, po_number, line_number);
