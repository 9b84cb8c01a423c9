"""Operations, replies and events as text."""
from . import jute, normal, proto


def value(v, limit=120):
    if isinstance(v, bytes):
        v = v.decode('utf-8', 'backslashreplace')
    out = ascii(v)
    return out if len(out) <= limit else f'{out[:limit - 20]}...({len(out)} characters)'


def sub(op):
    if not isinstance(op, list):
        return f'raw {op}'
    names = proto.FIELD_NAMES.get(op[0], '').split()
    head = '' if len(op) == 2 else f' done={op[2]} err={op[3]}'
    return f'{proto.NAMES.get(op[0], op[0])}({", ".join(f"{n}={value(f)}" for n, f in zip(names, op[1]))}){head}'


def op_text(op):
    if op['op'] == 'par':
        return 'at the same time:' + ''.join('\n        ' + op_text({k: v for k, v in o.items() if k != 'p'}) for batch in op['lists'] for o in batch)
    if op['op'] != 'req':
        rest = {k: v for k, v in op.items() if k not in ('op', 's')}
        return f'session {op.get("s", "-")}: {op["op"]} {rest if rest else ""}'.rstrip()
    kind = op['t']
    names = proto.FIELD_NAMES.get(kind, '').split()
    if kind in (14, 22) and op['f']:
        inner = '; '.join(sub(o) for o in op['f'][0])
        text = f'{proto.NAMES[kind]}[{inner}]'
    else:
        text = f'{proto.NAMES.get(kind, f"opcode {kind}")}({", ".join(f"{n}={value(f)}" for n, f in zip(names, op["f"]))})'
    for key, word in (('x', 'xid'), ('cut', 'cut to'), ('tail', 'trailing'), ('raw', 'body'), ('seg', 'in writes of')):
        if key in op:
            text += f' {word}={op[key]}'
    return f'session {op["s"]}: {text}' + (' (pipelined with the next)' if op.get('p') else '')


def stat_text(s):
    names = 'czxid mzxid ctime mtime version cversion aversion ephemeralOwner dataLength numChildren pzxid'.split()
    return 'Stat{' + ' '.join(f'{n}={v}' for n, v in zip(names, s)) + '}'


def item(got):
    """A comparable tuple, as decoded by normal.py."""
    if not isinstance(got, tuple):
        return str(got)
    if got and got[0] == 'event':
        if got[1] == 'undecodable':
            return f'event undecodable: {got[2]} {got[3][:60].hex()}'
        return f'event {proto.EVENTS.get(got[3], got[3])} state={got[4]} path={value(got[5])} zxid={got[1]} err={got[2]}'
    if got and got[0] in ('short', 'connect', 'closed'):
        return str(got)
    if len(got) < 3 or not isinstance(got[0], int):
        return str(got)
    parts = [f'xid={got[0]} zxid=+{got[1]} {proto.error_name(got[2])}']
    for field in got[3:]:
        if isinstance(field, tuple) and len(field) == 11:
            parts.append(stat_text(field))
        elif isinstance(field, tuple):
            parts.append('[' + ', '.join(value(f) for f in field) + ']')
        else:
            parts.append(value(field))
    return 'reply ' + ' '.join(parts)


def frame_hex(raw, limit=96):
    return raw[:limit].hex(' ', 4) + (f' ... ({len(raw)} bytes)' if len(raw) > limit else f' ({len(raw)} bytes)')


def frame_title(raw):
    if raw[:4] == normal.EVENT_XID:
        return 'event or reply with xid -1'
    if len(raw) < 16:
        return 'short frame'
    xid, zxid, err = jute.REPLY.unpack_from(raw)
    return f'xid={xid} zxid={zxid:#x} {proto.error_name(err)}'


def difference(diff, ops):
    """The report of one difference: the sequence, then what each side did."""
    lines = [f'DIFFERENCE: {diff.what}', f'sequence ({len(ops)} operations):']
    shown = ops if len(ops) <= 60 else ops[-60:]
    if shown is not ops:
        lines.append(f'  ... {len(ops) - 60} before')
    lines += [f'  {i + 1 + len(ops) - len(shown):4d}. {op_text(op)}' for i, op in enumerate(shown)]
    lines.append(f'at: {"; ".join(op_text(o) if "op" in o else str(o) for o in diff.batch[-3:])}')
    for name, side, raws in (('A', diff.a, diff.raw_a), ('B', diff.b, diff.raw_b)):
        lines.append(f'{name}:')
        lines += [f'    {item(g)}' for g in side] or ['    nothing']
        if raws and diff.at is not None and diff.at < len(raws):
            raw = raws[diff.at]
            lines.append(f'    {frame_title(raw)}: {frame_hex(raw)}')
    return '\n'.join(lines)
