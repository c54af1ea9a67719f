# 090_notifier.pl: po-notifier with a real SMTP server (smtp_server.py, of Debian's aiosmtpd), from the
# COPY that takes balances below their thresholds to the mails in the mailbox: exactly those that
# are expected, whatever the server answers, whoever is killed, and with two notifiers at once.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(rmtree);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $root = abs_path(dirname(__FILE__) . '/../..');
my $program = "$root/src/notifier/po-notifier";
my $dir = PostgreSQL::Test::Utils::tempdir();
my $mailbox = "$dir/mail";
my $port = PostgreSQL::Test::Cluster::get_free_port();
my $log = "$dir/notifier.log";

ok(-x $program, 'po-notifier was built') or BAIL_OUT('without libcurl there is nothing to test');
ok(-x dirname($ENV{TEMP_CONFIG}) . "/dest$ENV{bindir}/po-notifier", 'and installed beside psql');

my $node = PostgreSQL::Test::Cluster->new('outbox');
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE SCHEMA "p o"; CREATE EXTENSION po_mgmt SCHEMA "p o"');
delete @ENV{qw(PO_SMTP_URL PO_MAIL_FROM PO_SMTP_USER PO_SMTP_PASSWORD)};

sub sql { return $node->safe_psql('postgres', "SET search_path = \"p o\";\n$_[0]") }

# ---- the mail server ----

my $server;

sub start_server
{
	my @options = @_;
	mkdir $mailbox;
	unlink "$mailbox/ready";
	$server = fork() // die "fork: $!";
	if ($server == 0)
	{
		open STDOUT, '>>', "$dir/smtp.log" or die;
		open STDERR, '>&', \*STDOUT or die;
		exec '/usr/bin/python3', dirname(__FILE__) . '/smtp_server.py', $mailbox, $port, @options;
	}
	wait_until(sub { -e "$mailbox/ready" }) or die 'the SMTP server did not start: ' . slurp_file("$dir/smtp.log");
	return;
}

sub stop_server
{
	kill 'TERM', $server;
	waitpid $server, 0;
	undef $server;
	return;
}

# answers: what the server answers instead of 250
sub answers { return spew('answers', join('', map { "$_\n" } @_)) }

sub spew
{
	my ($name, $text) = @_;
	open my $file, '>', "$mailbox/$name.new" or die "$name: $!";
	print $file $text;
	close $file;
	rename "$mailbox/$name.new", "$mailbox/$name" or die;
	return;
}

# mails: what has been delivered: { from, to, subject, id, text }
sub mails
{
	my @mails;
	for my $name (glob "$mailbox/*.eml")
	{
		my $text = slurp_file($name);
		my ($head) = $text =~ /\A(.*?)\r\n\r\n/s;
		$head =~ s/\r\n[ \t]+/ /g;
		my %h = $head =~ /^([\w-]+): (.*?)\r?$/mg;
		push @mails, { from => $h{'X-From'}, to => $h{'X-To'}, subject => $h{Subject}, id => $h{'Message-ID'}, text => $text, head => $head,
			tls => $h{'X-Tls'}, login => $h{'X-Login'} };
	}
	return @mails;
}

# delivered: "recipients: subject" of each mail, sorted
sub delivered { return join("\n", sort map { "$_->{to}: $_->{subject}" } mails()) }

sub forget_mails
{
	unlink glob "$mailbox/*.eml";
	unlink "$mailbox/answers", "$mailbox/slow";
	sql('DELETE FROM po_notification');
	return;
}

# ---- po-notifier ----

my @common = ("--smtp=smtp://127.0.0.1:$port", '--from=Purchasing <po@example.com>');
my $connection = $node->connstr('postgres');

# run: exit status, standard output and error
sub run_notifier
{
	my @arguments = @_;
	my ($out, $err);
	IPC::Run::run([ $program, @arguments ], '>', \$out, '2>', \$err);
	return ($? >> 8, $out, $err);
}

sub once { return run_notifier('--once', @common, @_, $connection) }

# start: in the background; its process
sub start_notifier
{
	my @arguments = @_;
	my $pid = fork() // die "fork: $!";
	if ($pid == 0)
	{
		open STDERR, '>>', $log or die;
		delete $ENV{PGAPPNAME};
		exec $program, @common, @arguments, $connection;
	}
	return $pid;
}

# stop: its exit status
sub stop_notifier
{
	my ($pid, $signal) = @_;
	kill $signal // 'TERM', $pid;
	waitpid $pid, 0;
	return $?;
}

sub wait_until
{
	my ($test, $seconds) = @_;
	my $until = time + ($seconds // 60);
	while (time < $until)
	{
		return 1 if $test->();
		sleep(0.05);
	}
	return 0;
}

sub unsent { return sql('SELECT count(*) FROM po_notification WHERE sent_at IS NULL') }

# notify: rows in the outbox, as a bulk load would leave them
sub notify
{
	my ($n, $recipients) = @_;
	return sql("INSERT INTO po_notification (notification_id, account_id, po_number, kind, recipients, subject, body)"
		  . " SELECT nextval('po_notification_notification_id_seq'), 'ACME', 'PO-1', 'balance', '" . ($recipients // '{ap\@example.com}')
		  . "', 'number ' || g, 'text' FROM generate_series(1, $n) g; NOTIFY po_mgmt");
}

# ---------------------------------------------------------------------------
# From the COPY to the mailbox
# ---------------------------------------------------------------------------

sql(<<'EOS');
INSERT INTO po_account (account_id, alert_thresholds) VALUES ('ACME', '{0.75, 0.25}'), ('Quiet', '{0.75}'), ('Other', '{0.5}');
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month, description) VALUES
	('ACME', 'PO-1', 'AWS Inc.', '2026-01', '2026-12', E'Cloud\r\nBcc: victim@example.com'), ('Quiet', 'PO-1', 'AWS Inc.', '2026-01', '2026-12', NULL),
	('Other', U&'B\00E4ume', 'AWS Inc.', '2026-01', '2026-12', NULL);
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount)
	SELECT account_id, po_number, '1', 'usage', '2026-01', '2026-12', true, 1000 FROM po_order;
INSERT INTO po_contact (account_id, po_number, email, name) VALUES
	('ACME', 'PO-1', 'ap@example.com', 'Accounts "payable"'), ('ACME', 'PO-1', 'cfo@example.com', E'C. Fo\r\nBcc: victim@example.com'),
	('Other', U&'B\00E4ume', 'j@example.com', U&'J\00FCrgen M\00FCller');
EOS
my $copy = join('', map { my $account = (qw(ACME Quiet Other))[ $_ % 3 ]; "$account\tAWS Inc.\tI$_\tusage\t2026-02\t90\n" } 0 .. 29);
my $copied = join("\n", 'COPY "p o".po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) FROM STDIN;', "$copy\\.\n");
$node->safe_psql('postgres', $copied);

my ($status, $out, $err) = run_notifier('--dry-run', $connection);
is($status, 0, 'dry run');
is(scalar(() = $out =~ /^-- notification \d+ of account (?:ACME|Other)$/mg), 3, 'it prints what would be sent');
like($out, qr/^Subject: Purchase order PO-1, line item 1: less than 25% is left$/m, 'as it would be');
is(sql('SELECT count(*) FROM po_notification WHERE attempts = 0 AND claimed_until IS NULL'), 3, 'and changes nothing');

start_server();
($status, $out, $err) = once();
is($status, 0, 'all is sent') or diag $err;
is(delivered(), join("\n", 'ap@example.com,cfo@example.com: Purchase order PO-1, line item 1: less than 25% is left',
		'ap@example.com,cfo@example.com: Purchase order PO-1, line item 1: less than 75% is left',
		'j@example.com: =?UTF-8?B?UHVyY2hhc2Ugb3JkZXIgQsOkdW1lLCBsaW5lIGl0ZW0gMTogbGVz?= =?UTF-8?B?cyB0aGFuIDUwJSBpcyBsZWZ0?='),
	'exactly the mails that were expected');
is(unsent(), 0, 'and marked');
is($err, '', 'without a word');
my ($mail) = grep { $_->{subject} =~ /25%/ } mails();
is($mail->{from}, 'po@example.com', 'sender');
unlike($mail->{head}, qr/^Bcc/mi, 'no header that nobody meant');
like($mail->{head}, qr/^To: "Accounts \\"payable\\"" <ap\@example\.com>, "C\. Fo  Bcc: victim\@example\.com" <cfo\@example\.com>\r$/m, 'names and addresses');
like($mail->{text}, qr/^  Purchase order:  PO-1 \(Cloud  Bcc: victim\@example\.com\)\r\n/m, 'and no line, either');
like($mail->{text}, qr/^  Balance:         190\.00 USD \(19% left\)\r\n  Last change:     invoice I\d+, -90\.00 USD, /m, 'amounts');
my ($other) = grep { $_->{to} eq 'j@example.com' } mails();
like($other->{head}, qr/^To: =\?UTF-8\?B\?SsO8cmdlbiBNw7xsbGVy\?= <j\@example\.com>\r$/m, 'a name that is not ASCII');
like($other->{text}, qr/^  Purchase order:  B=C3=A4ume\r\n/m, 'and the text');
like($mail->{id}, qr/^<po_mgmt\.\d+\.\d+\@example\.com>$/, 'a Message-ID');
($status) = once();
is($status . scalar(mails()), '03', 'nothing is left to do');
forget_mails();

# ---------------------------------------------------------------------------
# It waits for NOTIFY, and ends when it is told to
# ---------------------------------------------------------------------------

my $pid = start_notifier('--poll=3600', '--retry=1');
wait_until(sub { sql(q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'po-notifier' AND state = 'idle' AND query ~ 'min\('}) });
sql(q{INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES
	('ACME', 'AWS Inc.', 'C', 'usage', '2026-02', -800), ('ACME', 'AWS Inc.', 'D', 'usage', '2026-02', 300)});
ok(wait_until(sub { scalar(mails()) == 1 }), 'woken by the transaction');
like(delivered(), qr/^ap\@example\.com,cfo\@example\.com: .*: less than 75% is left$/, 'one mail');

# no transaction is open while the mail server takes its time
spew('slow', '2');
notify(1);
ok(wait_until(sub { scalar(mails()) == 2 }), 'a slow server');
is(sql(q{SELECT state, xact_start IS NULL FROM pg_stat_activity WHERE application_name = 'po-notifier'}), 'idle|t', 'no transaction waits for it');
is(unsent(), 1, 'it is not marked before the answer');
is(stop_notifier($pid), 0, 'it finishes its message, and ends well');
is(unsent(), 0, 'which is marked');
forget_mails();

# ---------------------------------------------------------------------------
# The server is down at first
# ---------------------------------------------------------------------------

stop_server();
notify(3);
($status, $out, $err) = once();
is($status, 3, 'what is not sent is told by the exit status');
like($err, qr/\Apo-notifier: notification \d+: not sent yet, ap\@example\.com: .*(?:refused|connect)/i, 'and why');
is(sql('SELECT count(*), min(attempts), max(attempts) FROM po_notification WHERE sent_at IS NULL'), '3|0|1', 'the first failure ends the run: the others are not tried in vain');
sql('UPDATE po_notification SET claimed_until = NULL');
$pid = start_notifier('--poll=1', '--retry=1');
sleep(1.5);
start_server();
ok(wait_until(sub { unsent() == 0 }), 'delivered when the server is there');
is(delivered(), join("\n", map { "ap\@example.com: number $_" } 1 .. 3), 'each once');
is(sql(q{SELECT count(*) FROM po_notification WHERE last_error IS NOT NULL}), 0, 'the error is forgotten');
forget_mails();

# ---------------------------------------------------------------------------
# 451 and 550
# ---------------------------------------------------------------------------

answers('RCPT later 2 451 4.3.0 try again', 'RCPT never 0 550 5.1.1 no such user', 'DATA number.4 1 452 4.2.2 full', 'DATA number.5 0 554 5.6.0 not wanted',
	'MAIL nothing 0 550 x');
notify(1, '{later@example.com}');
ok(wait_until(sub { unsent() == 0 }), '451 twice, then accepted');
is(delivered(), 'later@example.com: number 1', 'delivered once');
is(sql('SELECT attempts FROM po_notification'), 3, 'at the third try');
forget_mails();

answers('RCPT never 0 550 5.1.1 no such user');
notify(2, '{never@example.com}');
ok(wait_until(sub { sql(q{SELECT count(*) FROM po_notification WHERE claimed_until = 'infinity'}) == 2 }), '550: given up');
is(sql('SELECT DISTINCT last_error, attempts, sent_at IS NULL FROM po_notification'), 'never@example.com: 550 5.1.1 no such user|1|t', 'with the reason, after one try');
unlink "$mailbox/answers";
sql('UPDATE po_notification SET claimed_until = NULL');
ok(wait_until(sub { unsent() == 0 }), 'sent when somebody says so');
forget_mails();

answers('RCPT never 0 550 5.1.1 no such user', 'RCPT later 2 450 4.7.1 greylisted');
notify(1, '{never@example.com,now@example.com,later@example.com,"bad> NOTIFY=NEVER@example.com"}');
ok(wait_until(sub { unsent() == 0 }), 'some now, some later, some never');
is(delivered(), "later\@example.com: number 1\nnow\@example.com: number 1", 'each that can have it has it once');
is(sql('SELECT delivered_to, last_error FROM po_notification'),
	'{now@example.com,later@example.com}|never@example.com: 550 5.1.1 no such user; bad> NOTIFY=NEVER@example.com: not an e-mail address', 'and the rest is told');
my %ids = map { $_->{id} => 1 } mails();
is(scalar(keys %ids), 1, 'of one Message-ID');
forget_mails();

answers('DATA number.1 2 452 4.2.2 full', 'DATA number.2 0 554 5.6.0 not wanted', 'MAIL . 1 421 4.3.2 closing');
notify(3, '{a@example.com,b@example.com}');
ok(wait_until(sub { sql(q{SELECT count(*) FROM po_notification WHERE sent_at IS NOT NULL OR claimed_until = 'infinity'}) == 3 }), 'after the recipients');
is(delivered(), join("\n", map { "a\@example.com,b\@example.com: number $_" } 1, 3), 'temporary and permanent answers to the message');
is(sql(q{SELECT last_error FROM po_notification WHERE subject = 'number 2'}), 'a@example.com: 554 5.6.0 not wanted; b@example.com: 554 5.6.0 not wanted', 'the reason');
notify(1, '{}');
ok(wait_until(sub { sql(q{SELECT count(*) FROM po_notification WHERE last_error = 'there are no recipients' AND claimed_until = 'infinity'}) == 1 }), 'nobody to send it to');
is(stop_notifier($pid), 0, 'ends well');
forget_mails();

# ---------------------------------------------------------------------------
# Killed in the middle; the database away for a while
# ---------------------------------------------------------------------------

spew('slow', '0.02');
notify(150);
my $kills = 0;
$pid = start_notifier('--poll=1', '--lease=4', '--timeout=2', '--retry=1');
while ($kills < 3)
{
	my $before = () = glob "$mailbox/*.eml";
	wait_until(sub { my $n = () = glob "$mailbox/*.eml"; $n > $before + 15 }) or last;
	stop_notifier($pid, 'KILL');
	$kills++;
	$pid = start_notifier('--poll=1', '--lease=4', '--timeout=2', '--retry=1');
}
is($kills, 3, 'killed three times');
ok(wait_until(sub { unsent() == 0 }), 'all are sent');
my %subjects;
$subjects{ $_->{subject} }{ $_->{id} }++ for mails();
is(scalar(keys %subjects), 150, 'none is lost');
cmp_ok(scalar(mails()), '<=', 153, 'at most one double a kill: ' . (scalar(mails()) - 150));
is(scalar(grep { keys %$_ != 1 } values %subjects), 0, 'with the Message-ID of the first');
forget_mails();

spew('slow', '1');
notify(2);
wait_until(sub { mails() == 1 });
$node->restart;
ok(wait_until(sub { unsent() == 0 }), 'the database was restarted meanwhile');
is(delivered(), "ap\@example.com: number 1\nap\@example.com: number 2", 'no mail is sent again for that');
is(stop_notifier($pid), 0, 'ends well');
forget_mails();

# ---------------------------------------------------------------------------
# Two notifiers, 1,000 notifications
# ---------------------------------------------------------------------------

my @both = map { start_notifier('--poll=1', '-v') } 1, 2;
open my $truncated, '>', $log or die;
close $truncated;
notify(1000);
ok(wait_until(sub { unsent() == 0 }, 120), 'all are sent');
my %count;
$count{ $_->{subject} }++ for mails();
is(scalar(keys %count), 1000, 'none is lost');
is(scalar(grep { $_ > 1 } values %count), 0, 'none is doubled');
is(sql('SELECT max(attempts) FROM po_notification'), 1, 'each was claimed once');
is(join(' ', map { stop_notifier($_) } @both), '0 0', 'both end well');
is(sql(q{SELECT count(*) FROM po_notification WHERE claimed_until IS NOT NULL}), 0, 'no claim is left');
forget_mails();

# ---------------------------------------------------------------------------
# TLS and login
# ---------------------------------------------------------------------------

stop_server();
for my $name ('good', 'other')
{
	system_or_bail('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost',
		'-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', "$dir/$name.key", '-out', "$dir/$name.crt");
}
start_server("tls=$dir/good.crt,$dir/good.key", 'login=po:secret word');
open my $password, '>', "$dir/password" or die;
print $password "secret word\n";
close $password;
my @login = ('--user=po', "--password-file=$dir/password");
notify(1);
($status, $out, $err) = once(@login, "--ca-file=$dir/other.crt");
is($status, 3, 'a certificate that is not trusted');
like($err, qr/certificate/i, 'is the reason');
sql('UPDATE po_notification SET claimed_until = NULL');
{
	local $ENV{PO_SMTP_PASSWORD} = 'wrong';
	($status, $out, $err) = once('--user=po', "--ca-file=$dir/good.crt");
}
is($status, 3, 'a wrong password');
like($err, qr/not sent yet, .*(?:535|login)/i, 'is no fault of the notification: it waits');
is(mails() + 0, 0, 'nothing is sent');
sql('UPDATE po_notification SET claimed_until = NULL');
($status, $out, $err) = once(@login, "--ca-file=$dir/good.crt");
is($status, 0, 'STARTTLS and login') or diag $err;
is(join(' ', map { "$_->{tls} $_->{login}" } mails()), 'yes yes', 'both were used');
stop_server();
start_server();
notify(1);
($status, $out, $err) = once(@login, "--ca-file=$dir/good.crt");
is($status, 3, 'no password goes to a server without TLS');
is(mails() + 0, 1, 'and no mail');
stop_server();
forget_mails();

# ---------------------------------------------------------------------------
# Rights, options
# ---------------------------------------------------------------------------

start_server();
sql(<<'EOS');
CREATE ROLE po_sender LOGIN;
GRANT USAGE ON SCHEMA "p o" TO po_sender;
GRANT SELECT, UPDATE (claimed_until, sent_at, attempts, last_error, delivered_to) ON po_notification TO po_sender;
EOS
notify(1);
my $as_sender = $node->connstr('postgres') . ' user=po_sender';
($status, $out, $err) = run_notifier('--once', @common, $as_sender);
is($status, 2, 'a right is missing');
like($err, qr/permission denied for table po_contact/, 'which');
sql('GRANT SELECT (account_id, po_number, email, name) ON po_contact TO po_sender; UPDATE po_notification SET claimed_until = NULL');
($status, $out, $err) = run_notifier('--once', @common, $as_sender);
is($status . mails(), '01', 'what doc/notifications.md grants is enough') or diag $err;
stop_server();

($status, $out) = run_notifier('--version');
like("$status $out", qr/^0 po-notifier \(po_mgmt\) \d+\.\d+$/, '--version');
($status, $out) = run_notifier('--help');
is($status, 0, '--help');
for my $option (qw(smtp from user password-file tls ca-file timeout once dry-run poll retry lease verbose help version))
{
	like($out, qr/--$option\b/, "--help has --$option");
}
for my $case (
	[ 'no sender', qr/--from/, "--smtp=smtp://localhost" ],
	[ 'a sender that is none', qr/"x" is not an address/, '--smtp=smtp://localhost', '--from=x' ],
	[ 'header lines in the sender', qr/not an address/, '--smtp=smtp://localhost', "--from=a\@b\r\nBcc: c\@d" ],
	[ 'no server', qr/--smtp/, '--from=a@b' ],
	[ 'a URL of something else', qr/smtp:/, '--smtp=http://localhost', '--from=a@b' ],
	[ 'a user without password', qr/password/, @common, '--user=x' ],
	[ 'no password file', qr/cannot be read/, @common, '--user=x', "--password-file=$dir/none" ],
	[ 'TLS', qr/"maybe"/, @common, '--tls=maybe' ],
	[ 'seconds', qr/"0s"/, @common, '--poll=0s' ],
	[ 'a lease that is too short', qr/lease/, @common, '--lease=5' ],
	[ 'an option that is none', qr/Try --help/, '--nonsense' ],
	[ 'two databases', qr/one database/, @common, 'a', 'b' ])
{
	my ($name, $message, @arguments) = @$case;
	($status, $out, $err) = run_notifier(@arguments);
	is($status, 1, "wrong: $name");
	like($err, $message, "$name: it says so");
}
($status, $out, $err) = run_notifier('--once', @common, $node->connstr('nowhere'));
is($status, 2, 'no database');
like($err, qr/"nowhere" does not exist/, 'which');
($status, $out, $err) = run_notifier('--once', @common, $node->connstr('template1'));
is($status, 2, 'a database without the extension');
like($err, qr/extension po_mgmt is not in database "template1"/, 'which');
$node->stop;

# ---------------------------------------------------------------------------
# Without libcurl the extension is built, and this program is not
# ---------------------------------------------------------------------------

my ($made) = run_command([ 'make', '-s', '-C', $root, 'NOTIFIER_BUILDS=', 'with_llvm=no', "PG_CONFIG=$ENV{bindir}/pg_config", 'all' ]);
like($made, qr/\Apo-notifier is left out: it needs the development files of libcurl/, 'make says what it leaves out');
($made) = run_command([ 'make', '-n', '-C', $root, 'NOTIFIER_BUILDS=', 'with_llvm=no', "PG_CONFIG=$ENV{bindir}/pg_config", "DESTDIR=$dir/none", 'install' ]);
unlike($made, qr/-lcurl|po-notifier'$/m, 'and installs the rest');
like($made, qr/po_mgmt\.so/, 'which is there');
done_testing();
