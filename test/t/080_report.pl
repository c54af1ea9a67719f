# 080_report.pl: po_report() in a browser: what is on the page, at the width of a phone and of a desk.
#
# The page is made for an account whose names are as hostile as they can be, and for one of the
# examples in doc/csv. Chromium, without a screen, says what it shows: its DOM; sizes, positions and
# colours as laid out (a script that is added to a copy of the page measures them); and a picture.
# Where there is no /proc, as in some chroots, Chromium does not run; what can be seen in the text of
# the page is tested there all the same.

use strict;
use warnings;

use Compress::Zlib qw(uncompress);
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION po_mgmt');

my $directory = PostgreSQL::Test::Utils::tempdir;
my $set_up = "SET po_mgmt.now = '2026-05-25 12:00+00';\n";

# ---- the account of doc/csv ----

$node->safe_psql('postgres', $set_up . q{
\copy po_order (account_id, po_number, bill_from, effective_month, expiration_month, currency, description) FROM 'doc/csv/orders.csv' WITH (FORMAT csv, HEADER match)
\copy po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount, quantity, tax, tax_kind) FROM 'doc/csv/line_items.csv' WITH (FORMAT csv, HEADER match)
\copy po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, issued_on, amount, currency) FROM 'doc/csv/invoices.csv' WITH (FORMAT csv, HEADER match)
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month, status)
VALUES ('123456789012', 'PO-OLD', 'AWS Inc.', '2025-01', '2025-12', 'suspended');
});

# ---- an account of hostile names ----

my $script = q{<script>document.title='owned'</script>};
my $quotes = q{"' onmouseover="document.title='owned'" x='};
my $image = q{<img src=x onerror="document.title='owned'">};
my $closing = q{</table></main></body></html><!--};
my $entity = q{&lt;b&gt;&#x3c;&};
my $long = 'L' x 200;
my $backwards = "\xe2\x80\xaeevil\xe2\x80\xac";    # right to left, in UTF-8
my $long_type = 'usage.' . join '.', ('t' x 60) x 4;
my $account = "$script$entity";
my @hostile = ($script, $quotes, $image, $closing, $entity, $long, $backwards);

sub literal { return "'" . ($_[0] =~ s/'/''/gr) . "'" }

$node->safe_psql('postgres', $set_up . 'BEGIN;'
	  . "INSERT INTO po_seller (bill_from) VALUES (" . literal($image) . ");"
	  . "INSERT INTO po_account (account_id, alert_thresholds) VALUES (" . literal($account) . ", '{0.75,0.1,0}');"
	  . join('', map {
			my ($number, $line) = (literal($hostile[$_]), literal($hostile[($_ + 1) % @hostile]));
			"INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month, description)
			VALUES (@{[literal($account)]}, $number, @{[literal($image)]}, '2026-01', '2026-12', @{[literal($script)]});
			INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount, consumed_before)
			VALUES (@{[literal($account)]}, $number, $line, 'usage', '2026-01', '2026-12', true, 1000, @{[$_ * 180]});
			INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount)
			VALUES (@{[literal($account)]}, $number, $number, '$long_type', '2026-04', 123456789.5);"
	  } 0 .. $#hostile)
	  . "INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, po_number)
		VALUES (@{[literal($account)]}, @{[literal($image)]}, 'I', 'usage', '2026-04', 5, @{[literal($script)]});
	COMMIT;");

sub write_file
{
	my ($name, $text) = @_;
	open my $file, '>', $name or die "$name: $!";
	print $file $text;
	close $file or die "$name: $!";
	return;
}

my %pages;    # name => text
for ([ example => '123456789012' ], [ hostile => $account ], [ empty => 'nobody' ])
{
	my ($name, $id) = @$_;
	$pages{$name} = $node->safe_psql('postgres', $set_up . 'SELECT po_report(' . literal($id) . ')') =~ s/\A\s+//r;
	write_file("$directory/$name.html", $pages{$name});
}
is($node->safe_psql('postgres', 'SELECT po_report(NULL) IS NULL'), 't', 'no account, no page');

# ---- the text of the pages ----

sub html { my ($text) = @_; $text =~ s/&/&amp;/g; $text =~ s/</&lt;/g; $text =~ s/>/&gt;/g; $text =~ s/"/&quot;/g; $text =~ s/'/&#39;/g; return $text }

for my $name (sort keys %pages)
{
	my $page = $pages{$name};
	like($page, qr/\A<!DOCTYPE html>\n<html lang="en">/, "$name: a page");
	unlike($page =~ s/"[^"]*"/""/gr, qr/<(?:script|img|iframe|object|embed|link|svg)\b|<[^>]*\s(?:on\w+|src|action)\s*=|url\(|\@import/i,
		"$name: nothing that runs or loads");
	my @away = grep { !/^#/ } $page =~ /href="([^"]*)"/g;
	is("@away", '', "$name: links within the page only");

	# every element is closed, in order
	my @open;
	my $wrong = '';
	while ($page =~ m{<(/?)(\w+)((?:"[^"]*"|[^">])*)>}g)
	{
		my ($end, $tag) = ($1, $2);
		next if $tag =~ /^(?:meta|br)$/;
		if (!$end) { push @open, $tag; next }
		my $last = pop(@open) // 'nothing';
		$wrong ||= "$tag ends $last" if $last ne $tag;
	}
	is($wrong . "@open", '', "$name: elements end in order");
	my %ids;
	$ids{$_}++ for $page =~ /\bid="([^"]*)"/g;
	is("@{[grep { $ids{$_} > 1 } keys %ids]}", '', "$name: ids are unique");
	my @lost = grep { !$ids{$_} } $page =~ /aria-labelledby="([^"]*)"/g;
	is("@lost", '', "$name: labels are there");
}
like($pages{empty}, qr/There are no purchase orders\..*No line item.*Nothing was invoiced.*Every invoice has an order\..*There is no seller\./s,
	'an account without anything: every section says so');
cmp_ok(index($pages{hostile}, html($_)), '>', 0, 'escaped: ' . substr($_, 0, 30)) for @hostile;

# ---- the pages in a browser ----

my ($chromium) = grep { defined && -x } $ENV{CHROMIUM},
  map { my $name = $_; map { "$_/$name" } split /:/, $ENV{PATH} } qw(chromium chromium-browser google-chrome);

# what chromium prints; its own noise only where it fails
sub chromium
{
	my ($width, $height, @arguments) = @_;
	my ($output, $noise) = ('', '');
	my $ended = IPC::Run::run(
		[ $chromium, '--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--hide-scrollbars',
			'--no-first-run', "--user-data-dir=$directory/profile", '--force-device-scale-factor=1',
			"--window-size=$width,$height", @arguments ],
		'<', \undef, '>', \$output, '2>', \$noise, IPC::Run::timeout(120));

	return $ended ? $output : "chromium failed: $noise";
}

# Added to the page: a script that looks at it as it is laid out, and tells the page around it. It is
# shown in a frame, since a window of chromium is 500 wide at least.
my $looks = <<'END';
<script>
const text = e => e.innerText.replace(/\s+/g, ' ').trim(), box = e => e.getBoundingClientRect(),
	all = (selector, from) => [...(from || document).querySelectorAll(selector)], style = e => getComputedStyle(e);
const result = {
	width: innerWidth, needs: document.documentElement.scrollWidth, title: document.title, text: document.body.innerText,
	wide: all('main *').filter(e => !e.closest('.scroll') && !e.closest('.sr') && !e.closest('thead') && box(e).right > innerWidth + 0.5).map(text),
	headings: all('h1, h2').map(text), sections: all('section').length,
	figures: all('.figures li').map(text),
	orders: all('#orders ~ table tbody tr').map(r => [...r.cells].map(text)),
	ordersDisplay: all('#orders ~ table tbody tr').slice(0, 1).map(r => style(r).display)[0],
	labels: all('#orders ~ table tbody tr:first-child > *').map(c => style(c, '::before').content && getComputedStyle(c, '::before').content),
	bars: all('.bars li').map(b => ({ text: text(b), label: b.querySelector('.bar').getAttribute('aria-label'),
		fill: box(b.querySelector('.bar i')).width / b.querySelector('.bar').clientWidth, colour: style(b.querySelector('.bar i')).backgroundColor,
		ticks: all('u', b).map(u => (box(u).left - box(b.querySelector('.bar')).left) / box(b.querySelector('.bar')).width) })),
	spend: all('table.spend').map(t => ({ currency: text(t.caption), rows: all('tbody tr', t).map(r => ({ month: text(r.cells[0]),
		amount: text(r.cells[1]), without: text(r.cells[2]), room: r.cells[3].clientWidth, bars: all('i', r).map(i => box(i).width) })) })),
	unassociated: all('#unassociated ~ table tbody tr').map(r => [...r.cells].map(text)),
	heat: all('table.heat').map(t => ({ seller: text(t.caption), rows: all('tbody tr', t).map(r => ({ type: text(r.cells[0]),
		cells: [...r.cells].slice(1).map(c => ({ colour: style(c).backgroundColor, sign: c.firstChild.textContent, words: c.lastChild.textContent,
			top: box(c).top, width: box(c).width, contrast: style(c).color })) })) })),
	tables: all('table').map(t => ({ head: all('thead th[scope=col]', t).length, rows: all('tbody th[scope=row]', t).length === all('tbody tr', t).length,
		roles: all('tr', t).every(e => e.getAttribute('role') === 'row') && all('td', t).every(e => e.getAttribute('role') === 'cell')
			&& t.getAttribute('role') === 'table' })),
	small: all('main *').filter(e => e.firstChild && e.firstChild.nodeType === 3 && e.firstChild.data.trim() && parseFloat(style(e).fontSize) < 9).length,
};
parent.postMessage(JSON.stringify(result), '*');
</script>
END
my $frame = <<'END';
<!DOCTYPE html><meta charset="utf-8"><pre id="measured"></pre>
<script>onmessage = m => document.getElementById('measured').textContent = m.data</script>
END

sub measured
{
	my ($name, $width) = @_;
	my $page = $pages{$name};
	$page =~ s/<meta http-equiv="Content-Security-Policy"[^>]*>//;
	$page =~ s{</body>}{$looks</body>};
	write_file("$directory/$name.measured.html", $page);
	write_file("$directory/frame.html", $frame . qq{<iframe src="$name.measured.html" style="width:${width}px;height:900px;border:0"></iframe>});
	my $dom = chromium(1400, 1000, '--virtual-time-budget=5000', '--dump-dom', "file://$directory/frame.html");
	my ($json) = $dom =~ m{<pre id="measured">(.*?)</pre>}s or return {};
	$json =~ s/&lt;/</g;
	$json =~ s/&gt;/>/g;
	$json =~ s/&quot;/"/g;
	$json =~ s/&amp;/&/g;
	return JSON::PP->new->utf8->decode($json);
}

# rows of a query, each an array of texts
sub query
{
	my ($sql) = @_;
	return [ map { [ split /\t/, $_, -1 ] } split /\n/, $node->safe_psql('postgres', "$set_up\\pset fieldsep '\\t'\n$sql") ];
}

# how many pixels of a PNG (8 bits, RGB or RGBA) have each colour
sub colours
{
	my ($png) = @_;
	my ($width, $height, undef, $type) = unpack 'x16NNCC', $png;
	my ($data, $at) = ('', 8);
	while ($at < length $png)
	{
		my ($length, $chunk) = unpack "x${at}Na4", $png;
		$data .= substr $png, $at + 8, $length if $chunk eq 'IDAT';
		$at += $length + 12;
	}
	$data = uncompress($data);
	my $bytes = $type == 6 ? 4 : 3;
	my @before = (0) x ($width * $bytes);
	my %count;
	for my $y (0 .. $height - 1)
	{
		my ($filter, @line) = unpack "x@{[$y * ($width * $bytes + 1)]}C@{[$width * $bytes + 1]}", $data;
		for my $i (0 .. $#line)
		{
			my ($left, $up, $corner) = ($i >= $bytes ? $line[$i - $bytes] : 0, $before[$i], $i >= $bytes ? $before[$i - $bytes] : 0);
			my $p = $left + $up - $corner;
			my ($pl, $pu, $pc) = (abs($p - $left), abs($p - $up), abs($p - $corner));
			$line[$i] = ($line[$i] + (0, $left, $up, ($left + $up) >> 1,
				$pl <= $pu && $pl <= $pc ? $left : $pu <= $pc ? $up : $corner)[$filter]) & 255;
		}
		$count{ join ',', @line[ $_ * $bytes .. $_ * $bytes + 2 ] }++ for 0 .. $width - 1;
		@before = @line;
	}
	return ($width, $height, \%count);
}

SKIP:
{
	skip 'Chromium does not run without /proc', 1 if !-d '/proc/self';
	ok($chromium, 'there is a browser') or last SKIP;

	# the pages as they are: what came from data is text
	for my $name (qw(example hostile))
	{
		my $dom = chromium(1280, 900, '--dump-dom', "file://$directory/$name.html");
		like($dom, qr{<title>Purchase orders of }, "$name: chromium shows it");
		unlike($dom, qr/<(?:script|img)\b/i, "$name: and there is no script or picture in it");
	}

	my $values = query(q{SELECT po_number, bill_from, value::numeric(20,2) || ' ' || currency, coalesce(balance::numeric(20,2) || ' ' || currency, 'not tracked'),
		effective_month, expiration_month, status, invoices FROM po_dashboard WHERE account_id = '123456789012' ORDER BY status, po_number COLLATE "C"});
	for my $width (390, 1280)
	{
		my $page = measured('example', $width);
		my $at = "at $width";
		is($page->{width}, $width, "$at: is as wide as that");
		cmp_ok($page->{needs}, '<=', $width, "$at: nothing has to be scrolled sideways");
		is("@{$page->{wide}}", '', "$at: nothing sticks out");
		is($page->{small}, 0, "$at: no text is too small to read");
		is_deeply($page->{headings}, [ 'Purchase orders', 'Orders', 'What is left', 'Spend by month', 'Unassociated invoices', 'Coverage' ], "$at: headings");
		is_deeply($page->{figures}, [ '2 of 3 orders in effect', '980.00 EUR left of 1,190.00 in orders in effect',
			'3,015.50 USD left of 7,200.00 in orders in effect', '1 invoices without an order' ], "$at: figures");

		# the dashboard, cell by cell
		is_deeply([ map { [ map { s/(?<=\d),(?=\d)//gr } @$_ ] } @{$page->{orders}} ], $values, "$at: the rows of po_dashboard");
		is($page->{ordersDisplay}, $width < 700 ? 'block' : 'table-row', "$at: as cards on a phone, as a table on a desk");

		# bars: as long as what is left
		is_deeply([ map { $_->{label} } @{$page->{bars}} ], [ map { "$_% left, notified below 75%" } -25, 55, 82 ], "$at: what a screen reader says of the bars");
		is_deeply([ map { sprintf '%.2f', $_->{fill} } @{$page->{bars}} ], [ '0.00', '0.55', '0.82' ], "$at: the bars are as long as what is left");
		cmp_ok(abs($_->{ticks}[0] - 0.75), '<', 0.01, "$at: the threshold is marked at 75%") for @{$page->{bars}};
		isnt($page->{bars}[1]{colour}, $page->{bars}[2]{colour}, "$at: one below its threshold has another colour");
		like($page->{bars}[0]{text}, qr/overdrawn by 300\.00 USD of 1,200\.00/, "$at: overdrawn");
		like($page->{bars}[1]{text}, qr/runs out in 2026-09, before it ends/, "$at: runs out");
		like($page->{bars}[2]{text}, qr/lasts to its end/, "$at: lasts");

		# spend: bars in proportion
		my ($eur, $usd) = @{$page->{spend}};
		is_deeply([ map { "$_->{month} $_->{amount} $_->{without}" } @{$usd->{rows}} ],
			[ '2026-01 610.20 0.00', '2026-02 640.00 0.00', '2026-03 2,202.80 0.00', '2026-04 811.50 0.00', '2026-05 0.00 0.00' ], "$at: spend by month");
		my @bars = map { $_->{bars}[0] } @{$usd->{rows}};
		cmp_ok($bars[2], '>', 0.9 * $usd->{rows}[2]{room}, "$at: the bar of the largest month takes all its room");
		cmp_ok(abs($bars[0] / $bars[2] - 610.2 / 2202.8), '<', 0.01, "$at: the others in proportion");
		is_deeply([ map { $_ > 0 ? 1 : 0 } @{$eur->{rows}[-1]{bars}} ], [ 0, 1 ], "$at: what has no order is drawn in another bar");

		# unassociated
		is(scalar @{$page->{unassociated}}, 1, "$at: one unassociated invoice");
		is($page->{unassociated}[0][-1], 'Line item 1 of order EU-2026: It pays for AWS Monthly Usage (usage); the invoice is for AWS Subscription Purchase (subscription).',
			"$at: and its reason");

		# the heat map is po_coverage
		my %sign = ("\x{2713}" => 'yes', "\x{25cb}" => 'wide', '!' => 'used', "\x{d7}" => 'gap');
		my %colour;
		my @signs;
		for my $table (@{$page->{heat}})
		{
			for my $row (@{$table->{rows}})
			{
				push @signs, join ' ', $table->{seller}, $row->{type}, map { $sign{$_->{sign}} // 'nothing' } @{$row->{cells}};
				$colour{$_->{colour}}{$_->{sign}} = 1 for @{$row->{cells}};
				my %tops = map { $_->{top} => 1 } @{$row->{cells}};
				is(scalar keys %tops, 1, "$at: the months of $row->{type} are in a line");
			}
		}
		is_deeply(\@signs, [ map { $_->[0] } @{query(q{SELECT concat_ws(' ', bill_from || ',', currency, po_label(line_type), string_agg(CASE WHEN po_number IS NULL THEN 'gap' WHEN NOT covers THEN 'used'
			WHEN item_type = line_type THEN 'yes' ELSE 'wide' END, ' ' ORDER BY billing_month))
			FROM po_coverage('123456789012', '2026-05', '2027-04') GROUP BY bill_from, currency, line_type ORDER BY bill_from COLLATE "C", currency, line_type})} ], "$at: the heat map is po_coverage");
		is_deeply([ sort map { scalar keys %$_ } values %colour ], [ 1, 1, 1, 1 ], "$at: each of its four signs has a colour of its own");
		is($page->{heat}[0]{rows}[-1]{cells}[0]{words}, 'line item 1 of order EU-2026', "$at: what a screen reader says of a month");

		# for screen readers: tables stay tables, also as cards
		ok(!(grep { !$_->{roles} || !$_->{rows} || !$_->{head} } @{$page->{tables}}), "$at: tables have heads, scopes and roles");

		my $hostile = measured('hostile', $width);
		like($hostile->{title}, qr/^Purchase orders of \Q$account\E, 2026-05-25$/, "$at: hostile names: the title is ours");
		cmp_ok($hostile->{needs}, '<=', $width, "$at: hostile names: a number of 200 letters does not push the page wide");
		is("@{$hostile->{wide}}", '', "$at: hostile names: nothing sticks out");
		is($hostile->{sections}, 5, "$at: hostile names: all sections are there");
		is_deeply([ sort map { $_->[0] } @{$hostile->{orders}} ], [ sort map { s/\s+/ /gr } map { my $text = $_; utf8::decode($text); $text } @hostile ], "$at: hostile names: shown as they are");
		is_deeply([ map { scalar @{$_->{ticks}} } @{$hostile->{bars}} ], [ (3) x @hostile ], "$at: several thresholds");
		is(scalar(grep { $_->[5] eq '123,456,789.50 USD' } @{$hostile->{unassociated}}), @hostile - 1, "$at: hostile names: unassociated invoices");
	}

	# pictures: the colours that bars and heat map have are there to be seen
	for ([ 390, 3600 ], [ 1280, 2000 ])
	{
		my ($width, $height) = @$_;
		chromium($width, $height, "--screenshot=$directory/$width.png", "file://$directory/example.html");
		my ($w, $h, $count) = colours(slurp_file("$directory/$width.png"));
		is("$w $h", "$width $height", "at $width: a picture");
		cmp_ok($count->{'43,119,201'} // 0, '>', 2000, "at $width: blue bars");
		cmp_ok($count->{'199,119,0'} // 0, '>', 2000, "at $width: an amber bar");
		cmp_ok($count->{'143,208,168'} // 0, '>', 2000, "at $width: green months");
		cmp_ok($count->{'242,166,166'} // 0, '>', 5000, "at $width: red months");
		cmp_ok($count->{'255,255,255'} // 0, '<', 0.95 * $w * $h, "at $width: not an empty page");
	}

	# print
	chromium(1280, 900, '--no-pdf-header-footer', "--print-to-pdf=$directory/report.pdf", "file://$directory/example.html");
	my $pages = () = slurp_file("$directory/report.pdf") =~ m{/Type\s*/Page\b}g;
	ok($pages >= 1 && $pages <= 3, 'on paper: three pages at most');
}

$node->stop;
done_testing();
