"""Attention of several heads: projections, masks and bias vectors around scaled_dot_product_attention."""

import math

import gotorch
from gotorch import _C

_F = _C.nn_functions


def float_mask(mask, name, dtype):
    """A mask that is added to the scores: a bool one is -inf where true."""
    if mask is None:
        return None
    if mask.dtype is gotorch.bool:
        return gotorch.zeros(mask.shape, dtype=dtype).masked_fill_(mask, -math.inf)
    if not mask.dtype.is_floating_point:
        raise AssertionError(f"only bool and floating types of {name} are supported")
    return mask


def _expect(condition, message):
    if not condition:
        raise AssertionError(message)


def _check_dims(query, key, value, key_padding_mask, attn_mask, num_heads):
    """Whether the inputs are batched."""
    _expect(
        query.dim() in (2, 3),
        f"query should be unbatched 2D or batched 3D tensor but received {query.dim()}-D query tensor",
    )
    batched = query.dim() == 3
    kind, dims, padding_dims = ("batched (3-D)", 3, 2) if batched else ("unbatched (2-D)", 2, 1)
    _expect(
        key.dim() == value.dim() == dims,
        f"For {kind} `query`, expected `key` and `value` to be {dims}-D but found {key.dim()}-D and {value.dim()}-D "
        "tensors respectively",
    )
    if key_padding_mask is not None:
        _expect(
            key_padding_mask.dim() == padding_dims,
            f"For {kind} `query`, expected `key_padding_mask` to be `None` or {padding_dims}-D but found "
            f"{key_padding_mask.dim()}-D tensor instead",
        )
    if attn_mask is not None:
        _expect(
            attn_mask.dim() in (2, 3),
            f"For {kind} `query`, expected `attn_mask` to be `None`, 2-D or 3-D but found {attn_mask.dim()}-D tensor "
            "instead",
        )
        if not batched and attn_mask.dim() == 3:
            wanted = (num_heads, query.shape[0], key.shape[0])
            _expect(
                tuple(attn_mask.shape) == wanted,
                f"Expected `attn_mask` shape to be {wanted} but got {attn_mask.shape}",
            )
    return batched


def _projected(query, key, value, weights, biases):
    """Query, key and value times their weights: in one product where they are one tensor with one weight."""
    if not isinstance(weights, gotorch.Tensor):
        return [_F.linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases)]
    if query is key and key is value:
        return _F.linear(query, weights, biases).chunk(3, -1)
    width = query.shape[-1]
    if key is value:
        q, kv = weights.split((width, 2 * width))
        bq, bkv = (None, None) if biases is None else biases.split((width, 2 * width))
        return _F.linear(query, q, bq), *_F.linear(key, kv, bkv).chunk(2, -1)
    biases = (None, None, None) if biases is None else biases.chunk(3)
    return [_F.linear(x, w, b) for x, w, b in zip((query, key, value), weights.chunk(3), biases)]


def _fixed(given, name, batch, heads, width):
    """static_k or static_v, [batch * heads, length, width], as [batch, heads, length, width]."""
    _expect(given.shape[0] == batch * heads, f"expecting {name}.size(0) of {batch * heads}, but got {given.shape[0]}")
    _expect(given.shape[2] == width, f"expecting {name}.size(2) of {width}, but got {given.shape[2]}")
    return given.reshape(batch, heads, *given.shape[1:])


def _scores_mask(attn_mask, key_padding_mask, heads, queries, keys, batch):
    """Both masks as one that broadcasts over [batch, heads, queries, keys]."""
    if attn_mask is not None:
        dims = attn_mask.dim()
        wanted = (queries, keys) if dims == 2 else (batch * heads, queries, keys)
        if tuple(attn_mask.shape) != wanted:
            raise RuntimeError(f"The shape of the {dims}D attn_mask is {attn_mask.shape}, but should be {wanted}.")
        if dims == 3:
            attn_mask = attn_mask.reshape(batch, heads, queries, keys)
    if key_padding_mask is None:
        return attn_mask
    _expect(
        key_padding_mask.shape[0] == batch,
        f"Expected key_padded_mask.shape[0] to be {batch}, but got {key_padding_mask.shape[0]}",
    )
    _expect(
        key_padding_mask.shape[1] == keys,
        f"Expected key_padded_mask.shape[1] to be {keys}, but got {key_padding_mask.shape[1]}",
    )
    padding = key_padding_mask.reshape(batch, 1, 1, keys)
    return padding if attn_mask is None else attn_mask + padding


def _attend_with_weights(q, k, v, mask, dropout_p):
    """The result, and the weights after dropout. A query that may look at no key gives NaN."""
    scores = (q * math.sqrt(1 / q.shape[-1])) @ k.transpose(-2, -1)
    weights = gotorch.softmax(scores if mask is None else scores + mask, -1)
    if dropout_p > 0:
        weights = _F.dropout(weights, dropout_p)
    return weights @ v, weights


def multi_head_attention_forward(
    query,
    key,
    value,
    embed_dim_to_check,
    num_heads,
    in_proj_weight,
    in_proj_bias,
    bias_k,
    bias_v,
    add_zero_attn,
    dropout_p,
    out_proj_weight,
    out_proj_bias,
    training=True,
    key_padding_mask=None,
    need_weights=True,
    attn_mask=None,
    use_separate_proj_weight=False,
    q_proj_weight=None,
    k_proj_weight=None,
    v_proj_weight=None,
    static_k=None,
    static_v=None,
    average_attn_weights=True,
    is_causal=False,
):
    """The result [queries, batch, embed_dim] of query [queries, batch, embed_dim], key and value [keys, batch, *], and the
    weights [batch, queries, keys], of each head if not averaged, or None. All may lack the batch. Bool masks are true where
    a query may not look; is_causal promises that attn_mask is the causal one."""
    batched = _check_dims(query, key, value, key_padding_mask, attn_mask, num_heads)
    if not batched:
        query, key, value = _each(query, key, value, lambda x: x.unsqueeze(1))
        if key_padding_mask is not None:
            key_padding_mask = key_padding_mask.unsqueeze(0)
    queries, batch, width = query.shape
    key_padding_mask = float_mask(key_padding_mask, "key_padding_mask", query.dtype)
    if is_causal and attn_mask is None:
        raise RuntimeError(
            "Need attn_mask if specifying the is_causal hint. You may use the Transformer module method "
            "`generate_square_subsequent_mask` to create this mask."
        )
    # The kernel knows the causal mask without reading it.
    extended = bias_k is not None or add_zero_attn
    is_causal = is_causal and key_padding_mask is None and not need_weights and not extended
    attn_mask = None if is_causal else float_mask(attn_mask, "attn_mask", query.dtype)
    _expect(width == embed_dim_to_check, f"was expecting embedding dimension of {embed_dim_to_check}, but got {width}")
    head = width // num_heads
    _expect(head * num_heads == width, f"embed_dim {width} not divisible by num_heads {num_heads}")
    if use_separate_proj_weight:
        _expect(
            key.shape[:2] == value.shape[:2],
            f"key's sequence and batch dims {key.shape[:2]} do not match value's {value.shape[:2]}",
        )
        _check_weights(query, key, value, (q_proj_weight, k_proj_weight, v_proj_weight))
        weights = (q_proj_weight, k_proj_weight, v_proj_weight)
        biases = (None, None, None) if in_proj_bias is None else in_proj_bias.chunk(3)
    else:
        _expect(key.shape == value.shape, f"key shape {key.shape} does not match value shape {value.shape}")
        weights, biases = in_proj_weight, in_proj_bias
    if key.shape[1] != batch:
        raise RuntimeError(f"query and key differ in their batch: got shapes {query.shape} and {key.shape}")
    q, k, v = _projected(query, key, value, weights, biases)
    if bias_k is not None and bias_v is not None:
        _expect(static_k is None and static_v is None, "bias cannot be added to static key or value.")
        k = gotorch.cat([k, bias_k.expand(1, batch, width)])
        v = gotorch.cat([v, bias_v.expand(1, batch, width)])
    q, k, v = (x.unflatten(-1, (num_heads, head)).permute(1, 2, 0, 3) for x in (q, k, v))
    k = k if static_k is None else _fixed(static_k, "static_k", batch, num_heads, head)
    v = v if static_v is None else _fixed(static_v, "static_v", batch, num_heads, head)
    # Every query may look at what is added to the keys, whatever the masks say.
    added = int(bias_k is not None and bias_v is not None)
    mask = _scores_mask(attn_mask, key_padding_mask, num_heads, queries, k.shape[2] - added, batch)
    if add_zero_attn:
        nothing = gotorch.zeros(batch, num_heads, 1, head, dtype=k.dtype)
        k, v = gotorch.cat([k, nothing], 2), gotorch.cat([v, nothing], 2)
        added += 1
    if mask is not None and added:
        mask = _F.pad(mask, (0, added))
    dropout_p = dropout_p if training else 0.0
    attention = None
    if need_weights:
        y, attention = _attend_with_weights(q, k, v, mask, dropout_p)
        attention = attention.mean(1) if average_attn_weights else attention
    else:
        y = _F.scaled_dot_product_attention(q, k, v, mask, dropout_p, is_causal)
    y = _F.linear(y.permute(2, 0, 1, 3).flatten(2), out_proj_weight, out_proj_bias)
    if batched:
        return y, attention
    return y.squeeze(1), None if attention is None else attention.squeeze(0)


def _check_weights(query, key, value, weights):
    for x, w, name in zip((query, key, value), weights, ("query", "key", "value")):
        _expect(w is not None, f"use_separate_proj_weight is True but the weight of {name} is None")
        wanted = (query.shape[-1], x.shape[-1])
        _expect(tuple(w.shape) == wanted, f"expecting {name} weights shape of {wanted}, but got {w.shape}")


def _each(query, key, value, change):
    """change(x) for the three, the same tensor where they are the same."""
    q = change(query)
    k = q if key is query else change(key)
    return q, k, q if value is query else k if value is key else change(value)
