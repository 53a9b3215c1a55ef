{# Documents of sale in one form. An absent currency is the company's own, and so is a rate of one. #}
with sales as (
    {% for entity in quickbooks_sales() -%}
    select * from {{ ref('base_quickbooks__' ~ entity | lower) }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select
    sales.connection,
    sales.record_key,
    sales.document_id,
    sales.entity,
    sales.id,
    sales.document_number,
    sales.document_date,
    sales.due_date,
    sales.customer_id,
    coalesce(sales.currency_code, company.home_currency) as currency_code,
    company.home_currency,
    case
        when coalesce(sales.currency_code, company.home_currency) = company.home_currency then 1 else sales.exchange_rate
    end as exchange_rate,
    case when sales.entity in ('CreditMemo', 'RefundReceipt') then -1 else 1 end as sign,
    sales.total_amount,
    sales.home_total_amount,
    sales.balance_amount,
    sales.tax_amount,
    sales.status_code,
    coalesce(states.is_order, false) as is_order,
    coalesce(states.status, 'open') as status,
    sales.receivable_account,
    sales.deposit_account,
    sales.recurring,
    sales.reference,
    sales.external_id,
    sales.is_voided,
    sales.created_at,
    sales.modified_at,
    sales.batch_id
from sales
left join {{ ref('base_quickbooks__preferences') }} as company on sales.connection = company.connection
left join {{ ref('map_quickbooks_estimate_status') }} as states
    on sales.entity = 'Estimate' and sales.status_code = states.status_code
