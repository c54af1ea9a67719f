-- What somebody would write instead: a row trigger in PL/pgSQL. It locks the row of the account (advisory
-- locks overflow the lock table in bulk loads), matches, moves the balance, writes the ledger.
SET search_path = peer;
CREATE FUNCTION pt() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE tr bool; nb numeric;
BEGIN
 PERFORM 1 FROM po_account WHERE account_id = NEW.account_id FOR NO KEY UPDATE;
 IF NOT FOUND THEN RAISE EXCEPTION 'no such account'; END IF;
 SELECT l.po_number, l.line_number, l.tracked INTO NEW.po_number, NEW.line_number, tr
 FROM po_order o, po_line_item l
 WHERE o.account_id = NEW.account_id AND o.status = 'active' AND NEW.billing_month BETWEEN o.effective_month AND o.expiration_month
   AND o.bill_from = NEW.bill_from AND o.currency = NEW.currency
   AND l.account_id = NEW.account_id AND l.po_number = o.po_number
   AND (l.line_type = NEW.line_type OR l.line_type = 'all' OR (l.line_type = 'marketplace' AND NEW.line_type = 'marketplace.transaction')) AND NEW.billing_month BETWEEN l.start_month AND l.end_month
 ORDER BY depth(l.line_type) DESC, (NOT l.tracked OR l.balance >= NEW.amount) DESC, o.updated_at DESC,
          l.end_month - l.start_month, l.po_number, l.line_number
 LIMIT 1;
 IF tr THEN
  UPDATE po_line_item SET balance = balance - NEW.amount WHERE account_id = NEW.account_id AND po_number = NEW.po_number AND line_number = NEW.line_number RETURNING balance INTO nb;
  INSERT INTO po_ledger(account_id, po_number, line_number, invoice_id, amount, balance_after) VALUES (NEW.account_id, NEW.po_number, NEW.line_number, NEW.invoice_id, NEW.amount, nb);
 END IF;
 RETURN NEW;
END $$;

CREATE TRIGGER pt BEFORE INSERT ON po_invoice FOR EACH ROW EXECUTE FUNCTION pt();
