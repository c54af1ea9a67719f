# 070_properties.pl: random sequences of everything that moves a balance, in the extension and
# in a naive model of it (test/naive/model.sql, plain SQL, one row after another). After every
# step both have to have the same: the association of every invoice, every balance, the ledger's
# entries by line item, invoice and kind, what of it is in the archive, the notifications of each
# line item in their order, the change log, the recency of orders, the error if there was one; and
# po_check_integrity() finds nothing. An episode lasts half a year by the clock. Every now and then po_explain_invoice() has to explain what is booked.
#
#   PO_SEED=42       the seed; random by default, always printed
#   PO_SCALE=5       five times the work (1: at least 1,200 operations, 3 wrong models)
#   PO_EPISODES=1    so many databases, of STEPS steps each; seeds are PO_SEED, PO_SEED + 1, ...
#   PO_STEPS=200     steps of an episode
#   PO_WRONG=20      so many wrong models
#   PO_KEEP=DIR      the scripts and what they printed go there
#
# A failure says how to reproduce it: with the seed of its own episode.
#
# Then the model is made wrong, in one line at a time, and has to be found out.

use strict;
use warnings;

use File::Basename qw(dirname);
use File::Spec;
use JSON::PP;
use List::Util qw(min shuffle);
use POSIX qw(ceil);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $naive = File::Spec->rel2abs(dirname(__FILE__) . '/../naive');
my $seed = $ENV{PO_SEED} // int(rand(2**31));
my $scale = $ENV{PO_SCALE} // 1;
my $steps = $ENV{PO_STEPS} // 200;
my $workers = 2;
my $began = time;

die "PO_SEED is not a number: $seed" unless $seed =~ /^\d+$/;
die "PO_SCALE is not a number: $scale" unless $scale =~ /^\d*\.?\d+$/ && $scale > 0;
die "PO_STEPS is not a number: $steps" unless $steps =~ /^\d+$/ && $steps > 0;
my $episodes = $ENV{PO_EPISODES} // int(800 * $scale / $steps + 0.99);
die "PO_EPISODES is not a number: $episodes" unless $episodes =~ /^\d+$/ && $episodes > 0;

my $json = JSON::PP->new->canonical->allow_nonref;

# ---------------------------------------------------------------------------
# The generator. It knows no state: the numbers it takes are few, so that most
# of what it does meets what is there.
# ---------------------------------------------------------------------------

# pick: one of a list
sub pick { return $_[ int(rand(@_)) ] }

# often: true so many times of a hundred
sub often { return rand(100) < $_[0] }

# weighted: one of (weight => value, ...)
sub weighted
{
	my @pairs = @_;
	my $sum = 0;
	for (my $i = 0; $i < @pairs; $i += 2) { $sum += $pairs[$i] }
	my $r = rand($sum);
	while (@pairs)
	{
		my ($weight, $value) = splice(@pairs, 0, 2);
		return $value if ($r -= $weight) < 0;
	}
	die;
}

# the universe of an episode, and the invoices that were inserted lately
my (@accounts, @sellers, @orders, @lines, @recent, $ids, $fresh, $narrow);
my @months = map { "2026-0$_" } 1 .. 6;

sub make_universe
{
	$narrow = often(60);		# so that most of what is done meets, and balances decide
	@accounts = $narrow ? ('A1', 'A1', 'A1', 'A1', 'A2') : ('A1', 'A1', 'A2', 'A2', 'A3', 'A4');
	@sellers = $narrow ? ('AWS Inc.') : ('AWS Inc.', 'AWS Inc.', 'AWS EMEA SARL');
	@orders = $narrow ? ('P1', 'P1', 'P2') : ('P1', 'P2', 'P3', 'P4');
	@lines = $narrow ? ('1', '1', '2') : ('1', '1', '2', '3');
	$ids = $narrow ? 8 : 25;
	@recent = ();
	$fresh = 0;
}

sub account { return pick(@accounts) }
sub seller { return often(8) ? pick('AWS Europe', 'Amazon Web Services, Inc.') : pick(@sellers) }
sub po { return pick(@orders) }
sub line { return pick(@lines) }
sub month { return pick(@months[ 1, 2, 2, 3, 3, 4 ], @months) }
sub invoice_id { return @recent && often(35) ? $recent[ rand(@recent) ]{invoice_id} : 'I' . (1 + int(rand($ids))) }

# remember: an invoice that is inserted now
sub remember
{
	push @recent, { map { $_ => $_[0]{$_} } qw(account_id bill_from invoice_id) };
	shift @recent if @recent > 30;
}

sub type { return $narrow && often(75) ? 'usage' : weighted(6, 'usage', 4, 'usage.compute', 2, 'subscription', 2, 'marketplace', 1, 'marketplace.transaction', 1, 'professional_services') }
sub money { return weighted($narrow ? 60 : 10, int(rand(60)), 4, int(rand(300)), 2, sprintf('%.2f', rand(80)), 1, 0, 1, '123456789012345678901234567890.123456789') }

# quoted: an SQL literal
sub quoted
{
	my ($value) = @_;
	return 'NULL' unless defined $value;
	$value =~ s/'/''/g;
	return "'$value'";
}

my @columns = qw(account_id bill_from invoice_id kind line_type billing_month issued_on due_on amount currency
  agreement_id requested_po_number requested_line_number out_of_cycle original_invoice_id po_number line_number);
my $columns = join(', ', @columns);

sub tuple { my ($r) = @_; return '(' . join(', ', map { quoted($r->{$_}) } @columns) . ')' }

# recordset: rows as a function in FROM
sub recordset { return 'jsonb_populate_recordset(NULL::po.po_invoice, ' . quoted($json->encode($_[0])) . ')' }

# invoice: a row of po_invoice
sub invoice
{
	my ($account) = @_;
	my $month = month();
	my %r = (
		account_id => $account // account(),
		bill_from => seller(),
		invoice_id => invoice_id(),
		line_type => type(),
		billing_month => $month,
		issued_on => (often(70) ? $month : month()) . '-' . sprintf('%02d', 1 + int(rand(28))),
		amount => money());
	$r{currency} = pick('USD', 'EUR', 'eur') if often($narrow ? 6 : 25);
	$r{agreement_id} = pick('G1', 'G2') if often(15);
	$r{requested_po_number} = often(15) ? ' ' . po() : po() if often(8);
	$r{requested_line_number} = line() if $r{requested_po_number} && often(40);
	@r{qw(agreement_id requested_po_number)} = (pick('G1', 'G2'), pick('P1', 'P4', 'P5')) if $r{line_type} eq 'marketplace.transaction' && often(40);
	$r{out_of_cycle} = pick('true', 'false') if often(10);
	if (often(25))
	{
		$r{amount} = '-' . $r{amount} if $r{amount} ne '0';
		$r{kind} = 'credit_memo' if often(30) || $r{amount} eq '0';
		$r{original_invoice_id} = invoice_id() if often(80);
		if (@recent && often(75))		# of one that may be there
		{
			my $original = pick(@recent);
			@r{qw(account_id bill_from original_invoice_id)} = @{$original}{qw(account_id bill_from invoice_id)};
			delete $r{currency} if often(90);
		}
	}
	if (often($narrow ? 6 : 12))
	{
		$r{po_number} = often(10) ? ' ' . po() . ' ' : po();
		$r{line_number} = line() if often(60);
	}
	$r{kind} = 'invoice' if !exists $r{kind} && often(5) && ($r{amount} !~ /^-/ || often(10));
	$r{due_on} = weighted(10, '2026-12-31', 2, '2000-01-01', 2, '2000-01-02', 2, '2000-01-03', 2, '2000-01-04', 2, '2000-01-05')
	  if often(15);
	return \%r;
}

# data_file: what a COPY reads (psql does not tell of an error of COPY FROM STDIN)
my $dir = $ENV{PO_KEEP} || PostgreSQL::Test::Utils::tempdir();
my ($data_name, $data_files);

sub data_file
{
	my ($data) = @_;
	my $file = "$dir/$data_name." . ++$data_files . '.copy';
	spew($file, $data);
	return $file;
}

# Operations: { sql, op for the model, any: any error will do, count: of operations, plain: no part of a block,
# call: a function is called }
sub insert_op
{
	my $n = weighted(6, 1, 3, 2, 3, 5, 1, 12, 0.3, 60);
	my $account = often(60) ? account() : undef;
	my @rows = map { invoice($account) } 1 .. $n;
	if ($n > 2 && often(40))	# many of a kind
	{
		my @of_kind = qw(account_id bill_from line_type billing_month issued_on);
		@{$_}{@of_kind} = @{ $rows[0] }{@of_kind} for @rows;
	}
	if (often($n > 1 ? 80 : 30)) { delete $_->{po_number}, delete $_->{line_number} for @rows }
	my $conflict = weighted(4, undef, 5, 'nothing', 3, 'update');
	if (!$conflict && often(80))	# else a larger one hardly ever gets through
	{
		$_->{invoice_id} = 'J' . ++$fresh for @rows;
	}
	remember($_) for @rows;
	$rows[-1]{due_on} = '2000-01-06' if !$conflict && often(6);
	my $op = { op => 'insert', rows => \@rows, conflict => $conflict };
	my $set = often(60)
	  ? [ @columns, qw(line_item_id association_kind associated_at associated_by voided_at recorded_at) ]
	  : [ grep { !/^(po_number|line_number)$/ } @columns ];
	my $clause = !$conflict ? ''
	  : $conflict eq 'nothing' ? pick(' ON CONFLICT DO NOTHING', ' ON CONFLICT (account_id, bill_from, invoice_id) DO NOTHING')
	  : ' ON CONFLICT (account_id, bill_from, invoice_id) DO UPDATE SET '
	  . (@$set > 17 || often(50) ? '(' . join(', ', @$set) . ') = ROW(' . join(', ', map { "EXCLUDED.$_" } @$set) . ')'
		: join(', ', map { "$_ = EXCLUDED.$_" } @$set));
	my $into = "INSERT INTO po.po_invoice ($columns)";
	my $values = join(",\n", map { tuple($_) } @rows);

	my $way = weighted(5, 'values', 3, 'select', $conflict ? 0 : 3, 'copy', 1, 'with', $n > 1 ? 1 : 0, 'loop', ($conflict // '') eq 'update' ? 0 : 1, 'mine', 0.7, 'middle');
	if ($way eq 'select')
	{
		return { op => $op, sql => "$into SELECT $columns FROM " . recordset(\@rows) . " s$clause" };
	}
	elsif ($way eq 'copy')
	{
		my $bad = often(15);
		my $data = join('', map { my $r = $_; join("\t", map { $r->{$_} // '\N' } @columns) . "\n" } @rows);
		$data .= join("\t", map { $_ eq 'amount' ? 'x' : $rows[0]{$_} // '\N' } @columns) . "\n" if $bad;
		return { op => $bad ? { op => 'list', of => [ $op, { op => 'error', code => '22P02' } ] } : $op,
			any => $bad,
			sql => "COPY po.po_invoice ($columns) FROM " . quoted(data_file($data)) };
	}
	elsif ($way eq 'with')
	{
		return { op => $op, sql => "WITH x AS ($into VALUES $values$clause RETURNING *) INSERT INTO model.sink SELECT count(*) FROM x" };
	}
	elsif ($way eq 'loop')
	{
		my @each = map { { op => 'insert', rows => [$_], conflict => $conflict } } @rows;
		return { op => { op => 'list', of => \@each }, plain => 1, count => $n,
			sql => 'DO $do$ BEGIN ' . join('', map { "$into VALUES " . tuple($_) . "$clause;\n" } @rows) . 'END $do$' };
	}
	elsif ($way eq 'mine')		# the trigger of an existing schema inserts them
	{
		my @each = map { { op => 'insert', rows => [$_], conflict => $conflict } } @rows;
		return { op => { op => 'list', of => \@each }, count => $n,
			sql => "INSERT INTO model.mine SELECT s.*, " . quoted($conflict) . ' FROM ' . recordset(\@rows) . ' s' };
	}
	elsif ($way eq 'middle')	# fails at its last row
	{
		return { op => { op => 'list', of => [ { %$op, rows => [ @rows[ 0 .. $n - 2 ] ] }, { op => 'error', code => '22012' } ] },
			any => scalar(grep { ($_->{due_on} // '') eq '2000-01-04' } @rows),
			sql => "$into SELECT $columns FROM " . recordset(\@rows) . " WITH ORDINALITY s WHERE 1 / (ordinality - $n) IS NOT NULL$clause" };
	}
	return { op => $op, sql => "$into VALUES $values$clause" };
}

sub merge_op
{
	my @rows = map { my $r = invoice(); delete $r->{due_on}; $r->{bill_from} = pick(@sellers); $r } 1 .. pick(1, 1, 2, 3);
	remember($_) for @rows;
	my $delete = often(30);
	$_->{delete} = JSON::PP::true for $delete ? grep { $_->{amount} =~ /[13579]$/ } @rows : ();
	my $all = recordset([ map { my %r = %$_; delete $r{delete}; \%r } @rows ]);
	return { op => { op => 'merge', rows => \@rows },
		any => 1,
		sql => "MERGE INTO po.po_invoice t USING $all s"
		  . ' ON (t.account_id, t.bill_from, t.invoice_id) = (s.account_id, s.bill_from, s.invoice_id)'
		  . ($delete ? q{ WHEN MATCHED AND s.amount::text ~ '[13579]$' THEN DELETE} : '')
		  . ' WHEN MATCHED THEN UPDATE SET amount = s.amount'
		  . " WHEN NOT MATCHED THEN INSERT ($columns) VALUES (" . join(', ', map { "s.$_" } @columns) . ')' };
}

# key: of an invoice that may be there
sub key
{
	return { %{ pick(@recent) } } if @recent && often(90);
	return { account_id => account(), bill_from => seller(), invoice_id => invoice_id() };
}

sub rebook_op
{
	my ($what) = @_;
	my $r = key();
	my @args = map { quoted($r->{$_}) } qw(account_id bill_from invoice_id);
	if ($what eq 'assign')
	{
		$r->{po_number} = po();
		$r->{line_number} = line() if often(65);
		push @args, map { quoted($r->{$_}) } qw(po_number line_number);
	}
	elsif ($what eq 'rematch')
	{
		$r->{force} = often(40) ? JSON::PP::true : JSON::PP::false;
		push @args, $r->{force} ? 'true' : 'false';
	}
	elsif (often(30))
	{
		push @args, quoted('a reason');
	}
	return { op => { op => $what, %$r }, sql => "SELECT po.po_${what}_invoice(" . join(', ', @args) . ')', call => 1 };
}

# rebook_many: one statement that calls a function for many invoices
sub rebook_many_op
{
	my $what = pick('release', 'void', 'rematch');
	my $r = key();
	my %ids = map { invoice_id() => 1 } 1 .. 4;
	my @ids = sort keys %ids;
	return { any => 1, call => 1,
		op => { op => 'list', of => [ map { { op => $what, %$r, force => JSON::PP::false, invoice_id => $_ } } @ids ] },
		sql => "SELECT po.po_${what}_invoice(" . quoted($r->{account_id}) . ', ' . quoted($r->{bill_from})
		  . ", i) FROM unnest(ARRAY[" . join(', ', map { quoted($_) } @ids) . "]) i" };
}

sub rematch_unassociated_op
{
	my $account = often(85) ? account() : undef;
	return { op => { op => 'rematch_unassociated', account_id => $account }, call => 1,
		sql => 'SELECT po.po_rematch_unassociated(' . ($account ? quoted($account) : '') . ')' };
}

sub where_invoices
{
	my ($op) = @_;
	my @where = ('account_id = ' . quoted($op->{account_id}));
	push @where, 'invoice_id = ANY (ARRAY[' . join(', ', map { quoted($_) } @{ $op->{ids} }) . '])' if $op->{ids};
	push @where, 'kind = ' . quoted($op->{kind}) if $op->{kind};
	push @where, 'billing_month = ' . quoted($op->{month}) if $op->{month};
	return join(' AND ', @where);
}

sub amount_op
{
	my $key = key();
	my %op = (op => 'update_invoices', account_id => $key->{account_id});
	if (often(60))
	{
		my $memo = often(20);
		$op{ids} = [ $key->{invoice_id} ];
		$op{set} = { amount => ($memo ? '-' : '') . money() };
		$op{set}{amount} = '0' if $op{set}{amount} eq '-0';
		$op{kind} = $memo ? 'credit_memo' : 'invoice' if often(90);
	}
	else
	{
		$op{times} = pick('0', '0.5', '1', '2', '1.10');
		$op{ids} = [ map { invoice_id() } 1 .. 6 ] if often(60);
		$op{month} = month() if often(50);
	}
	my $set = $op{set} ? quoted($op{set}{amount}) : "amount * $op{times}";
	return { op => \%op, any => 1, sql => "UPDATE po.po_invoice SET amount = $set WHERE " . where_invoices(\%op) };
}

sub column_op
{
	my $key = key();
	my %op = (op => 'update_invoices', account_id => $key->{account_id}, ids => [ $key->{invoice_id} ]);
	my ($column, $value) = @{ pick([ 'line_type', type() ], [ 'billing_month', month() ], [ 'issued_on', month() . '-05' ],
			[ 'currency', pick('USD', 'EUR') ], [ 'agreement_id', pick('G1', undef) ], [ 'requested_po_number', pick(po(), undef) ],
			[ 'original_invoice_id', invoice_id() ], [ 'out_of_cycle', pick('true', undef) ], [ 'due_on', '2026-12-30' ]) };
	$op{set} = { $column => $value };
	return { op => \%op, any => 1, sql => "UPDATE po.po_invoice SET $column = " . quoted($value) . ' WHERE ' . where_invoices(\%op) };
}

sub forbidden_op
{
	my $key = key();
	my %op = (op => 'forbidden', account_id => $key->{account_id}, invoice_id => $key->{invoice_id});
	my $set = pick('po_number = po_number || 1', 'line_item_id = coalesce(line_item_id, 0) + 1',
		"voided_at = coalesce(voided_at, 'epoch') + interval '1 day'", "associated_at = coalesce(associated_at, 'epoch') + interval '1 day'");
	$set = q{line_item_id = coalesce(line_item_id, 0) + 1} if $set =~ /^po_number/;
	return { op => \%op, any => 1,
		sql => "UPDATE po.po_invoice SET $set WHERE account_id = " . quoted($op{account_id}) . ' AND invoice_id = ' . quoted($op{invoice_id}) };
}

sub delete_op
{
	my $key = key();
	my %op = (op => 'delete_invoices', account_id => $key->{account_id});
	$op{ids} = [ $key->{invoice_id}, often(70) ? () : map { invoice_id() } 1 .. 4 ] unless often(2);
	$op{month} = month() if often(25);
	return { op => \%op, sql => 'DELETE FROM po.po_invoice WHERE ' . where_invoices(\%op) };
}

sub item
{
	my ($account, $po, $line) = @_;
	my %r = (account_id => $account, po_number => $po, line_number => $line,
		line_type => $narrow && often(75) ? 'usage' : weighted(4, 'all', 6, 'usage', 3, 'usage.compute', 2, 'subscription', 1, 'marketplace', 0.5, 'professional_services', 0.3, 'marketplace.transaction'),
		start_month => pick('2026-01', '2026-01', '2026-02', '2026-03'),
		end_month => pick('2026-06', '2026-06', '2026-05', '2026-04', '2026-03'),
		balance_tracked => often(75) ? 'true' : 'false',
		amount => money());
	$r{amount} = int(rand($narrow ? 150 : 400)) if often($narrow ? 95 : 60);
	$r{quantity} = pick(1, 2, '1.5') if often(30);
	($r{tax}, $r{tax_kind}) = (pick(0, 10, '7.7'), pick('absolute', 'percent')) if often(30);
	$r{consumed_before} = int(rand(50)) if often(20);
	$r{agreement_id} = pick('G1', 'G2') if often($narrow ? 4 : 12);
	return \%r;
}

sub insert_items_op
{
	my ($account, $po) = (account(), po());
	my @lines = often(60) ? (line()) : often(50) ? ('1', '2') : ('1', '2', '3');
	my @rows = map { item($account, $po, $_) } @lines;
	my %names = map { $_ => 1 } map { keys %$_ } @rows;
	my @names = sort keys %names;
	my $sql = "INSERT INTO po.po_line_item (" . join(', ', @names) . ') VALUES '
	  . join(', ', map { my $r = $_; '(' . join(', ', map { exists $r->{$_} ? quoted($r->{$_}) : $_ eq 'agreement_id' ? 'NULL' : 'DEFAULT' } @names) . ')' } @rows);
	return { op => { op => 'insert_items', rows => \@rows }, sql => $sql };
}

sub set_list { my ($set) = @_; return join(', ', map { "$_ = " . quoted($set->{$_}) } sort keys %$set) }

sub update_items_op
{
	my %op = (op => 'update_items', account_id => account(), po_number => po());
	$op{line_number} = line() if often(80);
	my $set = pick({ amount => int(rand($narrow ? 150 : 400)) }, { amount => money(), quantity => pick(1, 2, 3) }, { tax => pick(0, 5, '8.1'), tax_kind => pick('absolute', 'percent') },
		{ consumed_before => int(rand(100)) }, { balance_tracked => 'false' }, { balance_tracked => 'true' }, { balance_tracked => 'true' },
		{ line_type => pick('usage', 'all', 'usage.compute', 'subscription') }, { start_month => month() }, { end_month => month() },
		{ start_month => '2026-01', end_month => '2026-06' }, { description => pick('x', 'y') }, { agreement_id => pick('G1', undef) },
		{ balance_tracked => pick('true', 'false'), amount => int(rand(200)) });
	$set = { line_number => line() } if $op{line_number} && often(8);
	$op{set} = $set;
	return { op => \%op, any => 1, sql => 'UPDATE po.po_line_item SET ' . set_list($set) . ' WHERE ' . where_order(\%op) };
}

sub where_order
{
	my ($op) = @_;
	return join(' AND ', map { "$_ = " . quoted($op->{$_}) } grep { defined $op->{$_} } qw(account_id po_number line_number));
}

sub delete_items_op
{
	my %op = (op => 'delete_items', account_id => account(), po_number => po());
	$op{line_number} = line() if often(90);
	return { op => \%op, sql => 'DELETE FROM po.po_line_item WHERE ' . where_order(\%op) };
}

sub order_op
{
	my %r = (account_id => account(), po_number => po(), bill_from => pick(@sellers),
		effective_month => pick('2026-01', '2026-01', '2026-01', '2026-02'), expiration_month => pick('2026-06', '2026-06', '2026-05', '2026-03'));
	$r{currency} = pick('USD', 'EUR') if often(30);
	$r{status} = 'suspended' if often(5);
	return { op => { op => 'insert_order', row => \%r },
		sql => 'INSERT INTO po.po_order (' . join(', ', sort keys %r) . ') VALUES (' . join(', ', map { quoted($r{$_}) } sort keys %r) . ')' };
}

sub change_order_op
{
	my %key = (account_id => account(), po_number => po());
	my $set = pick({ status => 'suspended' }, { status => 'active' }, { status => 'active' }, { description => pick('x', 'y', 'z') }, { description => pick('x', 'y', 'z') },
		{ expiration_month => month() }, { expiration_month => '2026-06' }, { effective_month => pick('2026-01', '2026-01', '2026-02') },
		{ currency => pick('USD', 'EUR') });
	return { op => { op => 'update_order', row => { %key, %$set } }, any => 1,
		sql => 'UPDATE po.po_order SET ' . set_list($set) . ' WHERE ' . where_order(\%key) };
}

sub status_op
{
	my %key = (account_id => account(), po_number => po());
	my $suspend = often(25);
	my @args = map { quoted($key{$_}) } qw(account_id po_number);
	if (often(35))
	{
		my %op = (op => 'extend', %key, month => pick('2026-06', '2026-07', month()), line_items => often(50) ? JSON::PP::true : JSON::PP::false);
		return { op => \%op, call => 1, any => 1,
			sql => 'SELECT po.po_extend(' . join(', ', @args, quoted($op{month}), $op{line_items} ? 'true' : 'false') . ')' };
	}
	return { op => { op => 'status', %key, status => $suspend ? 'suspended' : 'active' }, call => 1,
		sql => 'SELECT po.po_' . ($suspend ? 'suspend' : 'activate') . '(' . join(', ', @args) . ')' };
}

sub delete_order_op
{
	my %op = (op => 'delete_order', account_id => account(), po_number => po());
	return { op => \%op, sql => 'DELETE FROM po.po_order WHERE ' . where_order(\%op) };
}

sub contact_op
{
	my %op = (account_id => account(), po_number => po());
	return { op => { op => 'delete_contacts', %op }, sql => 'DELETE FROM po.po_contact WHERE ' . where_order(\%op) } if often(20);
	my $email = pick('a@example.com', 'b@example.com');
	return { op => { op => 'contact', %op, email => $email },
		sql => 'INSERT INTO po.po_contact (account_id, po_number, email) VALUES ('
		  . join(', ', map { quoted($_) } $op{account_id}, $op{po_number}, $email) . ') ON CONFLICT DO NOTHING' };
}

sub account_op
{
	my $set = weighted(3, { alert_thresholds => pick('{0.75}', '{0.75,0.5,0}', '{0,1,0.9,0.25}', '{0.5,0.5}', '{}') }, 4, { closed_through => pick('2025-12', '2026-01', '2026-02', '2026-02', '2026-03') }, 3, { closed_through => undef },
		2, { period_basis => pick('billing_period', 'issue_date', 'status_on_issue') }, 0.5, { currency => pick('USD', 'EUR') });
	return set_account(account(), $set);
}

sub set_account
{
	my ($account, $set) = @_;
	return { op => { op => 'account', account_id => $account, set => $set },
		sql => 'UPDATE po.po_account SET ' . set_list($set) . ' WHERE account_id = ' . quoted($account) };
}

sub archive_op
{
	return archive(pick('2026-02', '2026-03', '2026-04', '2026-07', '2026-07'), often(60) ? account() : undef);
}

# archive: of all accounts without one
sub archive
{
	my ($before, $account) = @_;
	my %op = (op => 'archive', before => $before);
	$op{account_id} = $account if $account;
	return { op => \%op, call => 1, sql => 'SELECT po.po_archive(' . join(', ', map { quoted($_) } $before, $account // ()) . ')' };
}

sub operation
{
	my $what = weighted(
		36, \&insert_op, 4, \&merge_op,
		6, sub { rebook_op('release') }, 8, sub { rebook_op('assign') }, 10, sub { rebook_op('rematch') }, 3, sub { rebook_op('void') },
		3, \&rebook_many_op, 6, \&rematch_unassociated_op,
		7, \&amount_op, 3, \&column_op, 1, \&forbidden_op, 6, \&delete_op,
		5, \&insert_items_op, 10, \&update_items_op, 1.2, \&delete_items_op,
		2.5, \&order_op, 5, \&contact_op, 4, \&change_order_op, 4, \&status_op, 0.4, \&delete_order_op, 4, \&account_op, 3, \&archive_op);
	return $what->();
}

# block_op: several statements in PL/pgSQL, some below exception handlers
sub block_op
{
	my ($depth) = @_;
	my (@of, $sql);
	my $count = 0;
	$sql = '';
	for (1 .. 1 + int(rand(3)))
	{
		if ($depth < 3 && often(50))
		{
			my $inner = block_op($depth + 1);
			push @of, $inner->{op};
			$sql .= $inner->{sql};
			$count += $inner->{count};
			next;
		}
		my $o = operation();
		redo if $o->{plain};
		push @of, $o->{op};
		my $body = $o->{sql};
		$body =~ s/^SELECT/PERFORM/ if $o->{call};
		$sql .= "$body;\n";
		$count++;
	}
	if ($depth > 0 && often(25))
	{
		push @of, { op => 'error', code => '22012' };
		$sql .= "PERFORM 1 / (random() * 0)::int;\n";
	}
	return { count => $count, op => { op => 'list', of => \@of }, plain => 1, any => 1, sql => "DO \$do\$ BEGIN\n${sql}END \$do\$" } if $depth == 0;
	return { count => $count, op => { op => 'block', of => \@of }, sql => "BEGIN\n${sql}EXCEPTION WHEN OTHERS THEN NULL;\nEND;\n" };
}

# burst_op: several statements in one message, so in one transaction with nothing between them
sub burst_op
{
	my (@of, @sql);
	my $count = 0;
	while (@of < 2 + int(rand(3)))
	{
		my $o = operation();
		push @of, $o->{op};
		push @sql, $o->{sql};
		$count += $o->{count} // 1;
	}
	return { op => { op => 'list', of => \@of }, any => 1, count => $count, sql => join(" \\;\n", @sql) };
}

# script: an episode, as a script for psql, and the number of operations
sub script
{
	my ($name, $seed, $steps) = @_;
	srand($seed);
	($data_name, $data_files) = ($name, 0);
	make_universe();
	my $count = 0;
	my $n = 0;
	my $sessions = 0;
	my $out = <<'EOC';
\set QUIET 1
\set ON_ERROR_STOP 0
\pset tuples_only on
\pset format unaligned
SET client_min_messages = error;
SET search_path = po;
SET po_mgmt.notify = off;
SET enable_mergejoin = off;
SET enable_hashjoin = off;
\o /dev/null
EOC
	my @savepoints;		# of the transaction that is open
	my $open = 0;
	my $names = 0;
	my $check = sub {
		my ($predicted, $got, $any) = @_;
		$out .= "SELECT coalesce(v, '') AS bad, v IS NOT NULL AS is_bad FROM model.verdict($predicted, $got, "
		  . ($any ? 'true' : 'false') . ', true' . ") v \\gset\n"
		  . "\\if :is_bad\n\\warn BAD step $n\n\\warn :bad\n\\quit\n\\endif\n";
	};
	my $explain = sub {
		$out .= "SELECT coalesce(v, '') AS bad, v IS NOT NULL AS is_bad FROM model.unexplained() v \\gset\n"
		  . "\\if :is_bad\n\\warn BAD step $n\n\\warn :bad\n\\quit\n\\endif\n";
	};
	my $step = sub {
		my ($o) = @_;
		$count += $o->{count} // 1;
		my $op = $json->encode($o->{op});
		$out .= "\n-- step $n\n\\set is_bad true\n\\set bad 'no answer'\n";
		$out .= sprintf "SET po_mgmt.now = '2026-%02d-%02d 12:%02d+00';\n", 1 + int(6 * $n / ($steps + 1)), 1 + 168 * $n / ($steps + 1) % 28, $sessions;
		$out .= "SELECT model.predict(\$j\$$op\$j\$) AS predicted \\gset\n";
		my $own = $open && often(80);		# a savepoint of its own
		$out .= "SAVEPOINT own;\n" if $own;
		$out .= "$o->{sql};\n";
		$out .= "\\set got :SQLSTATE\n";
		if ($open)
		{
			$out .= "\\if :ERROR\n" . ($own ? "ROLLBACK TO own;\n" : @savepoints ? "ROLLBACK TO $savepoints[-1];\n" : "ROLLBACK;\nBEGIN;\n") . "\\endif\n";
		}
		$check->(":'predicted'", ":'got'", $o->{any});
	};

	$n = 0;
	for my $account (@accounts > 5 ? ('A1', 'A2', 'A3') : ('A1', 'A2'))		# something to start with
	{
		my $set = pick({ period_basis => 'issue_date' }, { period_basis => 'status_on_issue' }, { currency => 'EUR' }, { closed_through => undef }, { closed_through => undef });
		for my $po (@orders > 3 ? ('P1', 'P2', 'P3') : ('P1', 'P2'))
		{
			my %r = (account_id => $account, po_number => $po, bill_from => pick(@sellers), effective_month => '2026-01', expiration_month => '2026-06');
			$step->({ op => { op => 'insert_order', row => \%r },
				sql => 'INSERT INTO po.po_order (' . join(', ', sort keys %r) . ') VALUES (' . join(', ', map { quoted($r{$_}) } sort keys %r) . ')' });
			$step->(contact_op()) if often(80);
			for my $line (1 .. ($narrow ? 2 : pick(1, 2, 3)))
			{
				my $r = item($account, $po, $line);
				delete $r->{agreement_id};
				$r->{line_type} = pick('all', 'usage', 'usage', 'usage.compute', 'subscription') unless $narrow;
				my @names = sort keys %$r;
				$step->({ op => { op => 'insert_items', rows => [$r] },
					sql => 'INSERT INTO po.po_line_item (' . join(', ', @names) . ') VALUES (' . join(', ', map { quoted($r->{$_}) } @names) . ')' });
			}
			$step->(set_account($account, $set)) if $po eq 'P1';
		}
	}
	for (1 .. $steps)
	{
		$n++;
		$explain->() if $n % 40 == 0;
		if ($n == int($steps / 2))		# so that there is something to archive
		{
			$step->(set_account('A1', { closed_through => '2026-01' }));
			$step->(archive('2026-07'));
		}
		if (!$open && often(12))
		{
			$out .= "\nBEGIN" . pick('', '', ' ISOLATION LEVEL REPEATABLE READ', ' ISOLATION LEVEL SERIALIZABLE') . ";\n";
			$open = 1;
		}
		elsif ($open && often(10))
		{
			$out .= "\n" . pick('COMMIT', 'COMMIT', 'COMMIT', 'ROLLBACK', 'ROLLBACK',
				"PREPARE TRANSACTION '$name';\nCOMMIT PREPARED '$name'") . ";\n";
			$open = 0;
			@savepoints = ();
			$check->("'00000'", "'00000'", 0);
		}
		elsif ($open && often(30))
		{
			push @savepoints, 's' . ++$names;
			$out .= "SAVEPOINT $savepoints[-1];\n";
		}
		elsif (@savepoints && often(35))
		{
			my $k = int(rand(@savepoints));
			if (often(60))
			{
				$out .= "ROLLBACK TO $savepoints[$k];\n";
				splice(@savepoints, $k + 1);
			}
			else
			{
				$out .= "RELEASE $savepoints[$k];\n";
				splice(@savepoints, $k);
			}
			$check->("'00000'", "'00000'", 0);
		}
		elsif (!$open && often(2))
		{
			$sessions = min($sessions + 1, 59);		# a clock that stands still is one session's
			$out .= "\\connect\n\\o /dev/null\nSET client_min_messages = error;\nSET search_path = po;\nSET po_mgmt.notify = off;\n"
			  . "SET enable_mergejoin = off;\nSET enable_hashjoin = off;\n";
		}
		$step->(weighted(14, \&block_op, 14, \&burst_op, 72, \&operation)->(0));
	}
	$out .= "COMMIT;\n" if $open;
	$check->("'00000'", "'00000'", 0);
	$explain->();
	$out .= "\\o\nSELECT 'STATS ' || jsonb_object_agg(what, n)::text FROM (\n"
	  . "SELECT CASE WHEN voided_at IS NOT NULL THEN 'void' ELSE coalesce(association_kind, 'none') END AS what, count(*) AS n"
	  . " FROM po.po_invoice GROUP BY 1\n"
	  . "UNION ALL SELECT 'ledger ' || entry_kind, count(*) FROM po.po_ledger GROUP BY 1\n"
	  . "UNION ALL SELECT 'archived', count(*) FROM po.po_ledger_archive\n"
	  . "UNION ALL SELECT 'negative balance', count(*) FROM po.po_line_item WHERE balance < 0\n"
	  . "UNION ALL SELECT 'line item deleted', count(*) FROM po.po_invoice v WHERE line_item_id IS NOT NULL"
	  . " AND NOT EXISTS (SELECT FROM po.po_line_item i WHERE (i.account_id, i.line_item_id) = (v.account_id, v.line_item_id))\n"
	  . "UNION ALL SELECT 'notification', count(*) FROM po.po_notification) x;\n"
	  . "\\echo DONE $count\n";
	return $out;
}

# ---------------------------------------------------------------------------
# The server, and databases with a model
# ---------------------------------------------------------------------------

my $node = PostgreSQL::Test::Cluster->new('properties');
$node->init;
$node->append_conf('postgresql.conf', <<'EOC');
shared_buffers = 128MB
fsync = off
synchronous_commit = off
full_page_writes = off
max_wal_size = 4GB
jit = off
max_prepared_transactions = 10
max_parallel_workers_per_gather = 0
log_statement = none
log_min_messages = fatal
log_min_error_statement = panic
EOC
$node->start;

sub slurp
{
	my ($file) = @_;
	open my $fh, '<:raw', $file or die "$file: $!";
	local $/;
	return scalar <$fh>;
}

sub spew
{
	my ($file, $text) = @_;
	open my $fh, '>:raw', $file or die "$file: $!";
	print $fh $text;
	close $fh or die "$file: $!";
}

my $model = slurp("$naive/model.sql");

# make_template: a database with the extension and a model
sub make_template
{
	my ($name, $text) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $name");
	spew("$dir/$name.sql", $text);
	my @psql = ('psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($name));
	system_or_bail(@psql, '-c', q{CREATE SCHEMA po; CREATE EXTENSION po_mgmt SCHEMA po;
		INSERT INTO po.po_taxonomy (line_type, label) VALUES ('usage.compute', 'Compute');},
		'-f', "$dir/$name.sql", '-c', 'SET search_path = model', '-f', "$naive/rules.sql");
}

# play: episodes with these seeds, several at once; what each of them printed
sub play
{
	my ($template, $steps, $until_bad, @seeds) = @_;
	my (%running, %answers);
	my $stop = 0;
	while (@seeds || %running)
	{
		while (@seeds && !$stop && keys %running < $workers)
		{
			my $seed = shift @seeds;
			my $name = "${template}_$seed";
			spew("$dir/$name.psql", script($name, $seed, $steps));
			$node->safe_psql('postgres', "CREATE DATABASE $name TEMPLATE $template");
			my $pid = fork() // die "fork: $!";
			if ($pid == 0)
			{
				open STDOUT, '>', "$dir/$name.out" or die;
				open STDERR, '>&', \*STDOUT or die;
				exec 'psql', '-X', '-q', '-d', $node->connstr($name), '-f', "$dir/$name.psql";
			}
			$running{$pid} = [ $seed, $name ];
		}
		last unless %running;
		my $pid = waitpid(-1, 0);
		my $done = delete $running{$pid} or next;
		my ($s, $name) = @$done;
		my $out = slurp("$dir/$name.out");
		$answers{$s} = $out;
		$stop = 1 if $until_bad && $out !~ /^DONE/m;
		$node->safe_psql('postgres', "DROP DATABASE $name") unless $ENV{PO_KEEP};
		@seeds = () if $stop;
	}
	return \%answers;
}

# what_failed: the end of what an episode printed, with the statement of its last step
sub what_failed
{
	my ($template, $seed, $out) = @_;
	my $said = $out =~ /(?:^|: )BAD step (\d+)$/m ? $1 : undef;
	(my $end = $out) =~ s/\A.*?(?=^\S*:? ?BAD step)//ms;
	$end = substr($out, -3000) unless defined $said;
	my $script = slurp("$dir/${template}_$seed.psql");
	my @parts = split /^-- step /m, $script;
	my ($step) = defined $said ? grep { /^$said\n/ } reverse @parts : ();
	return substr($end, 0, 4000) . "\nthe step:\n" . substr($step // '', 0, 4000);
}

note "episodes: $episodes of $steps steps";
diag "to reproduce: PO_SEED=$seed PO_EPISODES=$episodes PO_STEPS=$steps make check SUITE=tap TESTS=070_properties";

make_template('sound', $model);
my $answers = play('sound', $steps, 0, map { $seed + $_ } 0 .. $episodes - 1);
my $total = 0;
for my $s (sort { $a <=> $b } keys %$answers)
{
	my ($count) = $answers->{$s} =~ /^DONE (\d+)$/m;
	ok(defined $count, "episode with seed $s" . (defined $count ? ", $count operations" : ''));
	$total += $count // 0;
	next if defined $count;
	diag "reproduce with PO_SEED=$s PO_EPISODES=1 PO_STEPS=$steps";
	diag what_failed('sound', $s, $answers->{$s});
}
is(scalar(keys %$answers), $episodes, 'episodes');
unless (defined $ENV{PO_EPISODES} || defined $ENV{PO_STEPS})
{
	my %stats;
	for my $out (values %$answers)
	{
		next unless $out =~ /^STATS (.*)$/m;
		my $of = $json->decode($1);
		$stats{$_} += $of->{$_} for keys %$of;
	}
	note "$_: $stats{$_}" for sort keys %stats;
	cmp_ok($total, '>=', 1200 * $scale, 'operations');
	cmp_ok($stats{$_} // 0, '>', 0, "there is some: $_")
	  for $scale < 3 ? ('automatic', 'none') : ('automatic', 'archived', 'ledger carried', 'manual', 'credit', 'none', 'void', 'negative balance', 'line item deleted', 'notification',
		map { "ledger $_" } qw(opening association release correction edited tracking closed));
}
note sprintf('operations: %d, in %.1f s', $total, time - $began);

# ---------------------------------------------------------------------------
# Would it notice? The model with one line that is wrong must be found out by
# some episode. Each is: a name, the line, which must be there once, the
# wrong line, and a seed that is known to find it out; after a change of the
# generator others are tried. Those of a run are chosen by its seed.
# ---------------------------------------------------------------------------

my @wrong = (
	[ 'a release gives nothing back', q{'release', v.amount);	-- given back}, q{'release', 0);}, 1 ],
	[ 'a delete gives nothing back', q{'release', v.amount);	-- deleted}, q{'release', 0);}, 1 ],
	[ 'memos do not follow', q{PERFORM model.rebook(memo, followed, false);	-- memo follows}, q{NULL;}, 1 ],
	[ 'a memo of a memo does not follow', q{PERFORM model.rebook_followers(memo, followed);}, q{NULL;}, 8 ],
	[ 'a memo in another currency stops the rematch', q{AND o.currency <> v.currency)}, q{AND false)}, 2 ],
	[ 'what conflicts counts', q{NULL;	-- do nothing},
		q{PERFORM model.book(v.account_id, old.line_item_id, v.bill_from, v.invoice_id, 'association', -v.amount) WHERE old.line_item_id IS NOT NULL;}, 1 ],
	[ 'a change of the amount moves nothing', q{old.amount - new.amount);	-- amount changed}, q{0);}, 1 ],
	[ 'an upsert is matched again', q{v.line_item_id := old.line_item_id;}, q{v := model.decide(v);}, 1 ],
	[ 'what is there already may be an error', q{ELSIF model.is_there(v) THEN}, q{ELSIF false THEN}, 4 ],
	[ 'rematch moves what was assigned by hand', q{ELSIF v.association_kind IS DISTINCT FROM 'manual' OR (r->>'force')::boolean THEN}, q{ELSE}, 5 ],
	[ 'a rematched invoice does not get its own amount back', q{v.agreement_id, v.out_of_cycle, v.line_item_id);}, q{v.agreement_id, v.out_of_cycle, NULL);}, 30 ],
	[ 'an edit of a line item is not felt', q{new.balance := old.balance + model.net(new) - model.net(old);		-- edited}, q{new.balance := old.balance;}, 1 ],
	[ 'tracking starts afresh', q{new.balance := model.net(new) - model.booked(old.line_item_id);		-- tracking on}, q{new.balance := model.net(new);}, 6 ],
	[ 'memos are matched like invoices', q{follows := FOUND;}, q{follows := false;}, 1 ],
	[ 'closed months are open', q{AND month <= a.closed_through)}, q{AND false)}, 2 ],
	[ 'void is no more than released', q{void = x.void OR make_void}, q{void = x.void}, 1 ],
	[ 'an edit of a line item does not move its order up', q{UPDATE model.po_order SET updated_at = nextval('model.tick') WHERE}, q{UPDATE model.po_order SET updated_at = updated_at WHERE}, 1 ],
	[ 'an edit is not logged', q{to_jsonb(old), to_jsonb(new));	-- item logged}, q{to_jsonb(old), to_jsonb(old));}, 1 ],
	[ 'rows that a trigger drops are booked', q{CONTINUE WHEN r->>'due_on' = '2000-01-02';		-- dropped by a trigger after ours}, q{}, 1 ],
	[ 'a booking tells nobody', q{PERFORM model.tell(old, new);	-- booked}, q{NULL;}, 1 ],
	[ 'an edit tells nobody', q{PERFORM model.tell(old, new);	-- edited}, q{NULL;}, 6 ],
	[ 'open months are archived', q{AND l.month <= a.closed_through;		-- entries archived}, q{;}, 1 ],
	[ 'changes are not archived', q{AND l.month <= a.closed_through;		-- changes archived}, q{AND false;}, 1 ],
	[ 'what is archived does not count', q{FROM model.po_ledger WHERE line_item_id = item $$}, q{FROM model.po_ledger WHERE line_item_id = item AND NOT archived $$}, 8 ],
	[ 'what is at a threshold is below it', q{ELSE i.balance < share * model.total(i) END}, q{ELSE i.balance <= share * model.total(i) END}, 18 ],
	[ 'a line item that is below is told of again', q{AND NOT model.is_below(old, t.share)}, q{}, 1 ],
	[ 'unassociated ones are matched in the wrong order', q{ORDER BY x.account_id, x.issued_on, x.recorded, x.invoice_id LOOP}, q{ORDER BY x.account_id DESC, x.issued_on DESC, x.recorded DESC LOOP}, 53 ],
);
my $tries = $ENV{PO_TRIES} // 24;

if ((!defined $ENV{PO_EPISODES} && !defined $ENV{PO_STEPS}) || $ENV{PO_WRONG})
{
	my $k = 0;
	srand($seed);
	my @some = shuffle(@wrong);
	splice(@some, min($ENV{PO_WRONG} // ceil(3 * $scale), scalar @some));
	for my $mutation (@some)
	{
		my ($name, $line, $wrong, $known) = @$mutation;
		my $at = index($model, $line);
		if ($at < 0 || index($model, $line, $at + 1) >= 0)
		{
			fail("$name: the model has that line once");
			next;
		}
		my $text = $model;
		substr($text, $at, length $line) = $wrong;
		my $template = 'wrong' . ++$k;
		make_template($template, $text);
		my $t = time;
		my ($found, @bad);
		for my $seeds ([$known], [ grep { $_ != $known } 1 .. $tries ])		# the same every time
		{
			$found = play($template, 200, 1, @$seeds);
			@bad = grep { $found->{$_} =~ /BAD step \d+\n(?!no answer)/ } sort { $a <=> $b } keys %$found;
			last if @bad;
		}
		ok(@bad > 0, "found out: $name");
		note sprintf('%d episodes, by %s, %.1f s', scalar(keys %$found), join(' ', @bad), time - $t);
		$node->safe_psql('postgres', "DROP DATABASE $template");
	}
}

$node->stop;
done_testing();
