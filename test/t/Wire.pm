# Wire.pm: the protocol of PostgreSQL, as far as fuzzers need it: values as bytes, in text and in
# binary, many in a second, and the SQLSTATE of each answer. Dies where the server does.

package Wire;

use strict;
use warnings;

use IO::Socket::UNIX;

# connect: a session of the node's database
sub connect
{
	my ($class, $node, $db, $user) = @_;
	my $path = $node->host . '/.s.PGSQL.' . $node->port;
	my $socket = IO::Socket::UNIX->new(Peer => $path) or die "$path: $!";
	my $self = bless { socket => $socket, buffer => '' }, $class;

	$self->{user} = $user // (getpwuid($>))[0];
	my $startup = pack 'N (Z*)*', 196608, user => $self->{user}, database => $db, client_encoding => 'UTF8', '';
	$self->write(pack('N', length($startup) + 4) . $startup);
	my $answer = $self->answer;
	die "connect: $answer->{message}" if $answer->{state};
	return $self;
}

sub write
{
	my ($self, $bytes) = @_;

	while (length $bytes)
	{
		my $n = syswrite $self->{socket}, $bytes;
		die 'the server has gone' unless $n;
		substr $bytes, 0, $n, '';
	}
}

sub take
{
	my ($self, $n) = @_;

	while (length $self->{buffer} < $n)
	{
		my $got = sysread $self->{socket}, $self->{buffer}, 65536, length $self->{buffer};
		die 'the server has gone' unless $got;
	}
	return substr $self->{buffer}, 0, $n, '';
}

# answer: all up to ReadyForQuery: rows (of bytes or undef), state and message of the error, if any
sub answer
{
	my ($self) = @_;
	my %answer = (rows => []);

	while (1)
	{
		my ($type, $length) = unpack 'a N', $self->take(5);
		my $body = $self->take($length - 4);

		if ($type eq 'D')
		{
			my $n = unpack 'n', $body;
			my @row;
			my $place = 2;
			for (1 .. $n)
			{
				my $bytes = unpack 'l>', substr $body, $place, 4;
				$place += 4;
				push @row, $bytes < 0 ? undef : substr $body, $place, $bytes;
				$place += $bytes if $bytes > 0;
			}
			push @{ $answer{rows} }, \@row;
		}
		elsif ($type eq 'E')
		{
			my %field = map { substr($_, 0, 1) => substr($_, 1) } grep { length } split /\0/, $body;
			@answer{qw(state message detail)} = @field{qw(C M D)};
			die "the server ends: $field{M}" if $field{S} =~ /FATAL|PANIC/;
		}
		elsif ($type eq 'Z')
		{
			$answer{status} = $body;
			return \%answer;
		}
	}
}

# query: statements as text
sub query
{
	my ($self, $sql) = @_;
	$self->write('Q' . pack 'N Z*', length($sql) + 5, $sql);
	return $self->answer;
}

sub message
{
	my ($type, $body) = @_;
	return $type . pack('N', length($body) + 4) . $body;
}

# prepare: a statement with one parameter; its result is wanted in both formats by execute()
sub prepare
{
	my ($self, $sql) = @_;
	$self->write(message('P', pack 'Z* Z* n', '', $sql, 0) . message('S', ''));
	return $self->answer;
}

# execute: the statement with bytes for its parameter; formats: 0 text, 1 binary
sub execute
{
	my ($self, $bytes, $in, $out) = @_;
	$self->write(message('B', pack('Z* Z* n n n N a* n n', '', '', 1, $in, 1, length $bytes, $bytes, 1, $out))
		  . message('E', pack 'Z* N', '', 0) . message('S', ''));
	return $self->answer;
}

1;
